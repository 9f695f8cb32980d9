"""Plans as Markdown: what a reviewer sees first, what is folded, and what is never left out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from build import (
    APP,
    NOW,
    WEB,
    at,
    create_user,
    deactivate,
    holds,
    joiner,
    live,
    plan,
    principal,
    provenance,
    scope_change,
    set_roles,
)
from rendered import cells, page
from unit.test_report_text import acme_prepared

from reconciler.change import CreateGroup, SetRoles
from reconciler.errors import GuardrailError, ReadError, ReconcilerError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.planning import Prepared
from reconciler.policy.document import Mode
from reconciler.problem import Location, Problem
from reconciler.report.markdown import plan as markdown
from reconciler.report.markdown.dialect import Dialect
from reconciler.report.markdown.room import size

ROOT = Path(__file__).parents[2]

ACME = """\
## Plan for `acme`

**9 people change**: 2 gain, 1 moves, 5 lose (2 of them everything), 1 keeps access

- organization admins: 6 before, 6 after; **1 becomes one**: `dana@acme.example`; **1 stops being one**: `felix@acme.example`
- no guardrail refuses it; `reconciler apply --expect FINGERPRINT` runs this plan or none
- fingerprint `FINGERPRINT`
- on `https://scim.example/v2`, mode enforce

### People

| Who | Change | Where | Before | After | Why |
| --- | --- | --- | --- | --- | --- |
| `jorge@acme.example` | loses everything | organization | contributor | none | nothing in the policy gives it |
|  |  | `storefront` | admin | none | nothing in the policy gives it |
| `kirsten@acme.example` | loses everything | organization | viewer | none | not active |
| `felix@acme.example` | loses, **no longer admin** | organization | admin | viewer | group `data` ([`discovery.yaml:12`](https://host/policies/acme/teams/discovery.yaml#L12)) |
| `gwen@acme.example` | loses | organization | contributor | viewer | group `audit` ([`audit.yaml:8`](https://host/policies/acme/access/audit.yaml#L8)) |
| `rosa@acme.example` | loses | `search` | admin | none | temporary grant ended 2026-10-30 23:59 UTC, `PLAT-918` moves the app's search to the new index ([`temporary.yaml:15`](https://host/policies/acme/access/temporary.yaml#L15)) |
| `dana@acme.example` | gains, **becomes admin** | organization | viewer | admin | temporary grant until 2026-11-27 23:59 UTC, `INC-4211` checkout outage ([`temporary.yaml:9`](https://host/policies/acme/access/temporary.yaml#L9)) |
| `quinn@acme.example` | moves | organization | contributor | viewer | group `eng-payments` ([`commerce.yaml:12`](https://host/policies/acme/teams/commerce.yaml#L12)) |
|  |  | `checkout` | none | admin | group `eng-payments` ([`commerce.yaml:13`](https://host/policies/acme/teams/commerce.yaml#L13)) |
|  |  | `storefront` | admin | contributor | group `eng-payments` ([`commerce.yaml:13`](https://host/policies/acme/teams/commerce.yaml#L13)) |
| `zoe@acme.example` | gains | organization | none | viewer | group `eng-mobile` ([`mobile.yaml:8`](https://host/policies/acme/teams/mobile.yaml#L8)) |
|  |  | `mobile` | none | admin | group `eng-mobile` ([`mobile.yaml:9`](https://host/policies/acme/teams/mobile.yaml#L9)) |
|  |  | `storefront` | none | contributor | group `eng-mobile` ([`mobile.yaml:9`](https://host/policies/acme/teams/mobile.yaml#L9)) |
| `lena@acme.example` | keeps access | organization | contributor + viewer | contributor | one role is enough; group `eng-web` ([`commerce.yaml:7`](https://host/policies/acme/teams/commerce.yaml#L7)) |

### To look at

|  | Who or what | What is so | What to do |
| --- | --- | --- | --- |
| temporary grant | `dana@acme.example` | has a temporary grant until 2026-11-27 23:59 UTC, `INC-4211` checkout outage ([`temporary.yaml:8`](https://host/policies/acme/access/temporary.yaml#L8)) | write another `expires:` if it is needed for longer |"""  # noqa: E501 - as it is written


def link(place: Location) -> str:
    return f"https://host/{place.file}#L{place.line}"


GITHUB = Dialect()


def shown(
    *prepared: Prepared,
    dialect: Dialect = GITHUB,
    failures: Sequence[tuple[str, ReconcilerError]] = (),
    problems: Sequence[Problem] = (),
) -> str:
    return markdown.plans(prepared, failures, problems, dialect)


REMOVALS = Violation(
    "removals",
    12,
    2,
    "12 people would lose every role that they have in a scope; 2 may at once (20 % of 10 people with roles)",
    "check that each of them should; or approve this one plan with `apply --approve c0ffee`",
    tuple(f"p{index}@acme.example" for index in range(12)),
    approvable=True,
)
FLOOR = Violation("minimum_admins", 1, 2, "too few", "make another first", ("ann@acme.example",))
GAINS = set_roles("bea", scope_change(WEB, "", "viewer", provenance(line=4)))
LOSES = set_roles("ann", scope_change(WEB, "viewer", ""))


def test_the_example_organization_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    prepared = acme_prepared()
    expected = ACME.replace("FINGERPRINT", prepared.plan.fingerprint)
    assert shown(prepared, dialect=Dialect(link=link)) == expected


def test_where_nothing_differs_two_lines_say_so() -> None:
    assert shown(Prepared(plan(), live(), ())) == (
        "## Plan for `acme`\n\n**no drift: everybody has what the policy gives them**\n\n"
        "- on `https://scim.example/v2`, mode enforce"
    )


def test_what_refuses_a_plan_stands_before_all_else_with_its_remedy_and_what_approves_it() -> None:
    prepared = Prepared(plan(LOSES), live({"ann": holds(web="viewer")}), (REMOVALS,))
    fingerprint = prepared.plan.fingerprint
    assert shown(prepared).partition("\n\n### People")[0] == (
        "## Plan for `acme`\n\n"
        "**1 person changes**: 1 loses everything\n\n"
        "- **refused** by guardrail `removals`: 12 people would lose every role that they have in a scope; "
        "2 may at once (20 % of 10 people with roles)\n"
        "  - people: `p0@acme.example`, `p1@acme.example`, `p2@acme.example`, `p3@acme.example`, "
        "`p4@acme.example`, `p5@acme.example`, `p6@acme.example`, `p7@acme.example`, `p8@acme.example`, "
        "`p9@acme.example` and 2 more\n"
        "  - remedy: check that each of them should; or approve this one plan with `apply --approve c0ffee`\n"
        "- organization admins: 0 before, 0 after\n"
        f"- `reconciler apply --approve {fingerprint}` runs this plan in spite of that\n"
        f"- fingerprint `{fingerprint}`\n"
        "- on `https://scim.example/v2`, mode enforce"
    )


def test_what_no_approval_covers_is_not_said_to_be_approvable() -> None:
    prepared = Prepared(plan(LOSES), live({"ann": holds(web="viewer")}), (REMOVALS, FLOOR))
    assert "\n- no approval covers `minimum_admins`\n" in shown(prepared)
    assert "reconciler apply" not in shown(prepared)


def test_a_plan_as_of_another_moment_has_no_fingerprint_to_approve() -> None:
    prepared = Prepared(plan(GAINS), live(), (), as_of=datetime(2027, 1, 2, tzinfo=UTC))
    assert "\n- as of 2027-01-02 00:00 UTC: to be looked at, not carried out\n" in shown(prepared)
    assert "fingerprint" not in shown(prepared)


def test_the_most_important_people_come_first() -> None:
    people = [
        set_roles("keeps", scope_change(WEB, "viewer admin", "admin")),
        set_roles("gains", scope_change(WEB, "", "viewer")),
        set_roles("moves", scope_change(WEB, "", "viewer"), scope_change(APP, "viewer", "")),
        set_roles("admin", scope_change(ORGANIZATION, "", "admin")),
        set_roles("moved", scope_change(ORGANIZATION, "", "admin"), scope_change(APP, "viewer", "")),
        set_roles("loses", scope_change(WEB, "admin", "viewer")),
        set_roles("unseated", scope_change(ORGANIZATION, "admin", "viewer")),
        set_roles("empty", scope_change(WEB, "viewer", "")),
    ]
    before = live(
        {
            "keeps": holds(web="viewer admin"),
            "moves": holds(app="viewer"),
            "moved": holds(app="viewer"),
            "loses": holds(web="admin"),
            "unseated": holds("admin"),
            "empty": holds(web="viewer"),
        },
        principal("gains"),
        principal("admin"),
    )
    rows = [
        row[:2] for row in cells(shown(Prepared(plan(*people), before, ()))) if row[0].endswith("example")
    ]
    assert [(who.partition("@")[0], what) for who, what in rows] == [
        ("empty", "loses everything"),
        ("unseated", "loses, no longer admin"),
        ("loses", "loses"),
        ("admin", "gains, becomes admin"),
        ("moved", "moves, becomes admin"),
        ("moves", "moves"),
        ("gains", "gains"),
        ("keeps", "keeps access"),
    ]


def test_a_project_that_is_called_organization_is_told_from_the_organization() -> None:
    change = set_roles(
        "ann", scope_change(ORGANIZATION, "", "viewer"), scope_change(Scope("organization"), "", "viewer")
    )
    text = shown(Prepared(plan(change), live({}, principal("ann")), ()))
    assert "| `ann@acme.example` | gains | organization | none |" in text
    assert "\n|  |  | `organization` | none |" in text


def test_accounts_groups_and_what_stays_as_it_is_are_shown() -> None:
    planned = plan(
        CreateGroup(WEB, Role.ADMIN, "circleci-web|admin"),
        create_user("joe"),
        deactivate("lea"),
        withheld=(LOSES, deactivate("max")),
        mode=Mode.ADDITIVE,
    )
    before = live({"ann": holds(web="viewer")}, principal("lea"), principal("max"), joiner("joe"))
    fingerprint = planned.fingerprint
    assert shown(Prepared(planned, before, ())) == (
        "## Plan for `acme`\n\n"
        "**1 account is created, 1 is deactivated**\n\n"
        "**1 group** created\n\n"
        "- mode additive takes nothing away, so none of this happens\n"
        "- organization admins: 0 before, 0 after\n"
        f"- no guardrail refuses it; `reconciler apply --expect {fingerprint}` runs this plan or none\n"
        f"- fingerprint `{fingerprint}`\n"
        "- on `https://scim.example/v2`, mode additive\n\n"
        "### Groups that are created\n\n- `circleci-web\\x7cadmin`\n\n"
        "### Accounts\n\n| Account |  | Why |\n| --- | --- | --- |\n"
        "| `joe@acme.example` | is created | in the group eng |\n"
        "| `lea@acme.example` | is deactivated | not in the directory |\n\n"
        "### Roles that stay as they are\n\n"
        "| Who | Change | Where | Before | After | Why |\n| --- | --- | --- | --- | --- | --- |\n"
        "| `ann@acme.example` | loses everything | `web` | viewer | none | "
        "nothing in the policy gives it |\n\n"
        "### Accounts that stay as they are\n\n| Account |  | Why |\n| --- | --- | --- |\n"
        "| `max@acme.example` | is deactivated | not in the directory |"
    )


def test_problems_of_a_plan_are_said_above_and_listed_below() -> None:
    problem = Problem(
        replace(at(5), path="bindings[1]"), "the directory has no group 'eng-wbe'", "correct it"
    )
    text = shown(Prepared(plan(problems=(problem,)), live(), ()), dialect=Dialect(link=link))
    assert text == (
        "## Plan for `acme`\n\n"
        "**no drift, as far as the policy could be resolved**\n\n"
        "- **1 problem: not all of the policy could be resolved**\n"
        "- on `https://scim.example/v2`, mode enforce\n\n"
        "### Not resolved, so nobody loses what it could have given\n\n"
        "- [`team.yaml:5`](https://host/team.yaml#L5) `bindings[1]`: "
        "the directory has no group 'eng-wbe' (correct it)"
    )


def test_an_invalid_policy_is_a_document_too() -> None:
    assert shown(problems=[Problem(at(3), "unknown key 'colour'", "delete it")]) == (
        "## The policy has 1 problem\n\n- `team.yaml:3`: unknown key 'colour' (delete it)"
    )


def test_several_organizations_are_counted_first_and_what_failed_comes_before_what_did_not() -> None:
    failures = [("globex", ReadError("the listing is short", "ask again"))]
    text = shown(Prepared(plan(GAINS), live(), (REMOVALS,)), failures=failures)
    assert text.startswith(
        "**2 organizations**: 1 to change, 1 refused by guardrails, 1 without a plan\n\n"
        "## No plan for `globex`\n\n- the listing is short\n- what to do: ask again\n\n"
        "## Plan for `acme`\n\n"
    )


def test_a_plan_that_is_refused_is_one_organization_with_a_plan() -> None:
    refused = Prepared(plan(GAINS), live(), (REMOVALS,))
    failures = [("acme", GuardrailError("nothing was written to acme: refused by removals"))]
    assert shown(refused, failures=failures) == shown(refused)


def test_a_guardrail_that_no_approval_covers_is_named_once() -> None:
    broken = Violation("assertions", 1, 0, "'Nobody' would be broken", "give less", ("zoe@acme.example",))
    barred = replace(broken, approvable=False)
    assert (
        shown(Prepared(plan(GAINS), live(), (barred, barred))).count("no approval covers `assertions`\n") == 1
    )


# Room


def crowd(number: int, name: str = "person-{}") -> Prepared:
    """So many people who lose everything, one who gains, and findings and problems of as many."""
    names = [name.format(index) for index in range(number)]
    people = [principal(f"p{index}", user_name=user) for index, user in enumerate(names)]
    changes: list[SetRoles] = [set_roles(who, scope_change(WEB, "admin", "")) for who in people]
    changes.append(set_roles(principal("zoe"), scope_change(WEB, "", "viewer", provenance())))
    before = live({f"p{index}": holds(web="admin") for index in range(number)}, *people, principal("zoe"))
    findings = tuple(Finding(Kind.LEAVER, user, "is active here, and left", "see to it") for user in names)
    problems = tuple(Problem(at(index), f"no group {user}") for index, user in enumerate(names))
    return Prepared(plan(*changes, findings=findings, problems=problems), before, (REMOVALS, FLOOR))


@pytest.mark.parametrize(
    ("limit", "folds", "name"),
    [
        (65_536, True, "person-{}"),
        (65_536, True, "@team|`<b>`\u202e{}" + "𝔘" * 200),
        (32_768, False, "@team|`<b>`\u202e{}" + "𝔘" * 200),
    ],
    ids=["usual", "hostile", "hostile where nothing folds"],
)
def test_ten_thousand_people_fit_and_who_is_left_out_is_counted(limit: int, folds: bool, name: str) -> None:
    prepared = crowd(10_000, name)
    text = shown(prepared, dialect=Dialect(limit, folds))
    assert size(text) <= limit
    for kept in (
        "**10001 people change**: 1 gains, 10000 lose everything",
        "**refused** by guardrail `removals`",
        "**refused** by guardrail `minimum_admins`",
        f"fingerprint `{prepared.plan.fingerprint}`",
    ):
        assert kept in text
    people = text.partition("### People")[2].partition("### To look at")[0]
    left = 10_001 - people.count("| loses everything |")
    assert left <= 9976
    assert f"Left out here: {left} more people: {left - 1} × loses everything, 1 × gains." in people
    assert text.count("| leaver |") > 4, "findings and problems have room, too"
    assert text.count(": no group ") > 4
    if folds:
        rest = left + people.count("| loses everything |") - 25
        assert f"<summary>{rest} more people: {rest - 1} × loses everything, 1 × gains</summary>" in people
        assert size(text) > limit * 0.9, "there was room for more"


def test_a_person_in_very_many_projects_leaves_room_for_the_others() -> None:
    scopes = [scope_change(Scope(f"project-{index}"), "", "viewer") for index in range(5000)]
    people = [set_roles("ann", *scopes), GAINS]
    text = shown(Prepared(plan(*people), live({}, principal("ann"), principal("bea")), ()))
    assert "|  |  | and 4980 more |  |  |  |" in text
    assert "`bea@acme.example`" in text


@pytest.mark.parametrize("limit", [300, 1000, 65_536])
def test_of_more_organizations_than_fit_those_that_are_refused_come_first(limit: int) -> None:
    several = [
        Prepared(replace(plan(GAINS), organization=f"o{i}"), live({}, principal("bea")), ())
        for i in range(400)
    ]
    refused = replace(several[-1], violations=(REMOVALS,))
    text = shown(*several[:-1], refused, dialect=Dialect(limit))
    assert size(text) <= limit
    lines = text.splitlines()
    assert lines[0] == "**400 organizations**: 400 to change, 1 refused by guardrails"
    assert lines[2].startswith("- `o399`: 1 person changes; **refused** by `removals`; fingerprint `")
    rows = text.count("\n- ")
    assert (f"Left out here: {400 - rows} more organizations." in text) is (rows < 400)


def test_in_brief_an_organization_says_what_there_is_to_say() -> None:
    settled = Prepared(plan(), live(), ())
    joins = Prepared(plan(create_user()), live({}, joiner("joe")), (FLOOR,))
    later = Prepared(plan(GAINS), live({}, principal("bea")), (), as_of=NOW)
    unclear = Prepared(plan(problems=(Problem(at(), "no group"),)), live(), ())
    assert [markdown.brief(one) for one in (settled, joins, later, unclear)] == [
        "- `acme`: no drift: everybody has what the policy gives them",
        f"- `acme`: 1 change; **refused** by `minimum_admins`; fingerprint `{joins.plan.fingerprint}`",
        "- `acme`: 1 person changes",
        "- `acme`: no drift, as far as the policy could be resolved; "
        "1 problem: not all of the policy could be resolved",
    ]


@pytest.mark.parametrize("limit", [0, 1, 20, 100])
def test_no_limit_is_too_small_to_be_kept(limit: int) -> None:
    assert size(shown(crowd(3), dialect=Dialect(limit))) <= limit


def test_names_from_outside_are_no_markup_anywhere() -> None:
    text = shown(crowd(30, "<script>{}</script>|@team"), dialect=Dialect(link=link))
    found = page(text)
    assert {html.split("\n")[0][:9] for html in found.html} == {"<details>", "</details"}
    assert found.others == frozenset()
    assert all(url.startswith("https://host/team.yaml#L") for url in found.links)
    people = [row for row in cells(text) if len(row) == 6 and row[1] == "loses everything"]
    assert len(people) == 30, "what is folded is a table, too"


def test_failures_are_told_even_where_little_else_fits() -> None:
    failures: list[tuple[str, ReconcilerError]] = [(f"o{i}", ReadError("short")) for i in range(50)]
    text = shown(
        Prepared(plan(GAINS), live({}, principal("bea")), ()), failures=failures, dialect=Dialect(500)
    )
    assert text.startswith("**51 organizations**: 1 to change, 50 without a plan\n\n")
    assert "\n- `acme`: 1 person changes; fingerprint `" in text
    assert "\n- `o0`: no plan" in text
