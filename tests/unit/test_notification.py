"""What a run came to, in a value, for Slack and as signed JSON: nothing is sent here."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from build import (
    NOW,
    WEB,
    create_user,
    deactivate,
    holds,
    live,
    plan,
    principal,
    provenance,
    scope_change,
    set_roles,
)
from standardwebhooks.webhooks import Webhook as Referee
from standardwebhooks.webhooks import WebhookVerificationError
from standins import slack as standin

from reconciler.change import Outcome, Result
from reconciler.errors import ExitCode, GuardrailError, LedgerError, PartlyAppliedError, ReadError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import ORGANIZATION, LiveState
from reconciler.notifications import slack, summary, webhook
from reconciler.notifications.summary import Counts, Ending, Failure, Person, Refusal, Share, Summary
from reconciler.origin import Origin
from reconciler.plan import Plan
from reconciler.planning import Prepared
from reconciler.policy.document import Mode
from reconciler.settings.token import Token

ORIGIN = Origin("ann", "0" * 40, "https://circleci.com/gh/acme/policy/7?a=1&b=2")
ANN = set_roles("ann", scope_change(ORGANIZATION, "viewer", "admin", provenance()))
BOB = set_roles("bob", scope_change(WEB, "viewer", ""))
CAT = set_roles("cat", scope_change(WEB, "", "viewer"), scope_change(ORGANIZATION, "admin", "viewer"))
STATE = live({"ann": holds("viewer"), "bob": holds(web="viewer"), "cat": holds("admin")})
PLANNED = plan(ANN, BOB, CAT)
KEYS = (
    Token("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
    Token("ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="),
)

HOSTILE = (
    "<!channel>",
    "<@U0123456>",
    "<!subteam^S1|all>",
    "<https://evil.example|click>",
    "*bold* _italic_ ~struck~ `code`",
    "```\n<!here>\n```",
    "&lt;!channel&gt;",
    "\u202eevil\u2066",
    "a\nb\r\tc\x1b[31m\x00",
    "\ud800",
    "@channel @here :fire:",
    'quote " back \\ slash',
    "x" * 10_000,
    "😀" * 5_000,
)


def prepared(planned: Plan = PLANNED, state: LiveState = STATE, *violations: Violation) -> Prepared:
    return Prepared(planned, state, violations)


def applied(
    planned: Plan = PLANNED, result: Result = Result.APPLIED, detail: str = ""
) -> tuple[Outcome, ...]:
    return tuple(Outcome(change, result, detail) for change in planned.changes)


def made(
    *results: tuple[Prepared, tuple[Outcome, ...], str],
    failures: tuple[tuple[str, Any], ...] = (),
    command: str = "apply",
    code: ExitCode = ExitCode.DONE,
) -> Summary:
    return summary.made(command, results, failures, code, ORIGIN)


def drift(prepared: Prepared) -> Summary:
    return made((prepared, (), ""), command="drift", code=ExitCode.DRIFT)


def people(summary: Summary) -> list[tuple[str, str, Result | None]]:
    return [
        (one.user.removesuffix("@acme.example"), one.verb, one.result) for one in summary.shares[0].people
    ]


def crowd(number: int, letter: str) -> Summary:
    """Drift of so many people, whose names are long."""
    changes = [
        set_roles(principal(str(i), user_name=f"{i}{letter * 60}"), scope_change(WEB, "", "viewer"))
        for i in range(number)
    ]
    return drift(prepared(plan(*changes), live()))


def posted(summary: Summary) -> dict[str, Any]:
    """What Slack was given, which it took."""
    message = slack.message(summary)
    body = json.dumps(message, ensure_ascii=False).encode()
    server = standin.Slack()
    answer = server.answer(httpx.Request("POST", f"https://hooks.test{server.secret}", content=body))
    assert (answer.status_code, answer.text) == (200, "ok")
    assert len(body.decode().encode("utf-16-le")) // 2 <= 10_000
    return server.posted[0]


# The value


def test_what_was_applied_is_told_with_what_it_means_for_people_the_most_important_first() -> None:
    [share] = made((prepared(), applied(), "9f86d081884c")).shares
    assert share == Share(
        "acme",
        Ending.APPLIED,
        server="https://scim.example/v2",
        mode="enforce",
        run="9f86d081884c",
        fingerprint=PLANNED.fingerprint,
        verdict="3 people change: 1 gains, 1 moves, 1 loses everything\n"
        "organization admins: 1 before, 1 after; new: ann@acme.example; no longer: cat@acme.example",
        counts=Counts(gain=1, move=1, lose=1, lose_everything=1, new_admins=1, former_admins=1),
        people=(
            Person("ann@acme.example", "becomes organization admin", ANN.scopes, Result.APPLIED),
            Person("bob@acme.example", "loses everything", BOB.scopes, Result.APPLIED),
            Person("cat@acme.example", "is no longer organization admin", CAT.scopes, Result.APPLIED),
        ),
        results={"applied": 3},
    )


def test_those_for_whom_it_failed_come_first_with_the_worst_of_what_became_of_their_changes() -> None:
    planned = plan(ANN, BOB, create_user("joe"), deactivate("cat"))
    outcomes = [
        Outcome(ANN, Result.APPLIED),
        Outcome(BOB, Result.APPLIED),
        Outcome(BOB, Result.FAILED, "500"),
        Outcome(planned.accounts[0], Result.SKIPPED, "interrupted"),
        Outcome(planned.accounts[1], Result.APPLIED),
    ]
    told = made(
        (prepared(planned), tuple(outcomes), "r"), failures=(("acme", PartlyAppliedError("1 of 4", "look")),)
    )
    assert people(told) == [
        ("bob", "loses everything", Result.FAILED),
        ("ann", "becomes organization admin", Result.APPLIED),
        ("cat", "is deactivated", Result.APPLIED),
        ("joe", "is created", Result.SKIPPED),
    ]
    assert told.shares[0].ending is Ending.PARTLY_APPLIED


def test_nothing_to_do_is_quiet_whatever_the_mode_withholds() -> None:
    for planned in plan(), plan(mode=Mode.REPORT, withheld=(ANN,)):
        told = made((prepared(planned), (), "r"))
        assert (told.quiet, told.shares[0].ending) == (True, Ending.UNCHANGED)


def test_drift_counts_what_the_mode_withholds() -> None:
    told = drift(prepared(plan(ANN, mode=Mode.ADDITIVE, withheld=(BOB,))))
    assert not told.quiet
    assert told.shares[0].ending is Ending.DRIFT
    assert people(told) == [("ann", "becomes organization admin", None), ("bob", "loses everything", None)]
    assert drift(prepared(plan())).quiet


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (GuardrailError("refused"), Ending.REFUSED),
        (ReadError("unread"), Ending.UNREADABLE),
        (LedgerError("torn"), Ending.FAILED),
    ],
)
def test_what_failed_is_told_with_its_organization_whether_there_is_a_plan_or_not(
    error: Any, ending: Ending
) -> None:
    failure = Failure(error.message, "", error.exit_code)
    [without] = made(failures=(("acme", error),)).shares
    assert without == Share("acme", ending, (failure,))
    [with_plan] = made((prepared(), (), "r"), failures=(("acme", error),)).shares
    assert (with_plan.ending, with_plan.failures) == (ending, (failure,))


def test_a_plan_that_was_not_begun_for_the_sake_of_another_is_told_as_untouched() -> None:
    assert made((prepared(), (), "r")).shares[0].ending is Ending.UNTOUCHED


def test_what_failed_for_nobody_is_everybody_s() -> None:
    told = made(
        (prepared(), applied(), "r"), failures=(("", LedgerError("held")), ("globex", ReadError("no")))
    )
    assert [share.organization for share in told.of({"acme"}).shares] == ["acme"]
    assert told.of(()).failures == (Failure("held", "", ExitCode.UNEXPECTED),)
    assert not told.of(()).quiet


# Slack


def test_a_message_has_the_headline_the_people_and_the_way_to_the_job() -> None:
    message = posted(made((prepared(), applied(), "9f86d081884c")))
    assert message == {
        "text": "acme: access of 3 people changed\n```\n"
        "3 people change: 1 gains, 1 moves, 1 loses everything\n"
        "organization admins: 1 before, 1 after; new: ann@acme.example; no longer: cat@acme.example\n"
        "• ann@acme.example becomes organization admin: organization viewer -&gt; admin\n"
        "• bob@acme.example loses everything: web viewer -&gt; none\n"
        "• cat@acme.example is no longer organization admin: web none -&gt; viewer; "
        "organization admin -&gt; viewer\n```\n"
        "https://circleci.com/gh/acme/policy/7?a=1&amp;b=2",
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": "acme: access of 3 people changed", "emoji": False},
            },
            {
                "type": "section",
                "text": {
                    "type": "plain_text",
                    "text": "3 people change: 1 gains, 1 moves, 1 loses everything\n"
                    "organization admins: 1 before, 1 after; new: ann@acme.example; "
                    "no longer: cat@acme.example\n"
                    "• ann@acme.example becomes organization admin: organization viewer -&gt; admin\n"
                    "• bob@acme.example loses everything: web viewer -&gt; none\n"
                    "• cat@acme.example is no longer organization admin: web none -&gt; viewer; "
                    "organization admin -&gt; viewer",
                    "emoji": False,
                },
            },
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "<https://circleci.com/gh/acme/policy/7?a=1&amp;b=2|the job>",
                    },
                    {
                        "type": "plain_text",
                        "text": "reconciler apply, exit code 0 · run 9f86d081884c · "
                        f"commit {'0' * 40} · by ann",
                        "emoji": False,
                    },
                ],
            },
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_nobody_s_name_and_no_message_of_a_server_does_anything_in_slack(name: str) -> None:
    who = principal("x", user_name=name)
    planned = plan(set_roles(who, scope_change(ORGANIZATION, "viewer", "admin")), deactivate("bob", name))
    planned = replace(planned, findings=(Finding(Kind.LEAVER, name, name),))
    violation = Violation("removals", 1, 0, name, name, (name,))
    outcomes = applied(planned, Result.FAILED, name)
    failures = (("acme", PartlyAppliedError(name, name)), ("", LedgerError(name, name)))
    told = made(
        (prepared(planned, live({"bob": holds(web="viewer")}, who), violation), outcomes, "r"),
        failures=failures,
    )
    message = posted(replace(told, origin=Origin(name, name, name)))
    assert standin.obeyed(message) == []
    assert all(
        one["type"] == "plain_text" and one["emoji"] is False
        for block in message["blocks"]
        for one in [*block.get("elements", ()), *([block["text"]] if "text" in block else [])]
    )
    assert message["text"].count("```") == 2
    assert all(c == "\n" or c.isprintable() for c in json.dumps(message, ensure_ascii=False))


def test_a_link_is_made_of_the_job_s_address_only_where_it_can_be_none_other() -> None:
    for pipeline in (
        None,
        "7",
        "javascript:x",
        "https://a b",
        "https://a|b",
        "https://a>b",
        "https://а.example",
    ):
        told = replace(made((prepared(), applied(), "r")), origin=Origin(pipeline=pipeline))
        assert standin.obeyed(posted(told)) == []


@pytest.mark.parametrize("number", [0, 1, 24, 25, 400])
@pytest.mark.parametrize("letter", ["a", "é", "<", '"', "\n", "😀"])
def test_however_many_people_there_are_slack_takes_the_message(number: int, letter: str) -> None:
    posted(crowd(number, letter))


def test_ten_thousand_people_are_told_by_the_first_of_them_and_a_number() -> None:
    shown = standin.readable(posted(crowd(10_000, "a")))
    told = shown.count("•")
    assert told > 30
    assert f"and {10_000 - told} more lines" in shown


def test_sixty_organizations_are_a_message_that_slack_takes() -> None:
    results = [
        (prepared(replace(PLANNED, organization=f"org-{i}")), () if i % 2 else applied(), f"run{i}")
        for i in range(60)
    ]
    unchanged = [(prepared(replace(plan(), organization=f"quiet-{i}")), (), f"q{i}") for i in range(60)]
    failures = tuple((f"org-{i}", ReadError("x" * 400, "y" * 400)) for i in range(1, 60, 2))
    message = posted(made(*results, *unchanged, failures=(*failures, *[("", LedgerError("z" * 999))] * 20)))
    shown = standin.readable(message)
    assert "apply: 120 organizations, 30 applied, 30 unreadable, 60 unchanged" in shown
    assert "*org-0: access of 3 people changed*" in shown
    assert "and org-8, org-9" in shown
    assert "unchanged: quiet-0, quiet-1" in shown


@pytest.mark.parametrize(
    ("told", "headline"),
    [
        (made((prepared(), (), "r")), "acme: nothing was written, for the sake of another organization"),
        (made((prepared(plan()), (), "r")), "acme: unchanged"),
        (drift(prepared(plan(ANN))), "acme: drift, 1 person differs"),
        (drift(prepared()), "acme: drift, 3 people differ"),
        (made(failures=(("acme", ReadError("x")),)), "acme: could not be read whole"),
        (made(failures=(("", LedgerError("x")),)), "apply: the run failed"),
        (made(), "apply: there is no policy"),
        (
            made(
                (prepared(PLANNED, STATE, Violation("removals", 1, 0, "m", "r")), (), "r"),
                failures=(("acme", GuardrailError("x")),),
            ),
            "acme: refused by removals",
        ),
    ],
)
def test_the_headline_says_what_it_came_to(told: Summary, headline: str) -> None:
    message = posted(told)
    assert message["blocks"][0]["text"]["text"] == headline
    assert message["text"].splitlines()[0] == headline


def test_a_refusal_tells_the_guardrail_and_what_to_do() -> None:
    violation = Violation("removals", 3, 1, "3 people lose a role, the limit is 1", "approve it")
    told = made(
        (prepared(PLANNED, STATE, violation), (), "r"), failures=(("acme", GuardrailError("refused")),)
    )
    shown = standin.readable(posted(told))
    assert "guardrail removals: 3 people lose a role, the limit is 1\nremedy: approve it\n• ann@" in shown


# The webhook


def test_the_body_says_what_the_plan_shows_and_no_more() -> None:
    told = made((prepared(), applied(), "9f86d081884c"))
    assert json.loads(webhook.body(told, NOW)) == {
        "type": "reconciler.apply",
        "timestamp": "2026-11-23T12:00:00Z",
        "data": {
            "format": "reconciler.notification/1",
            "command": "apply",
            "exit_code": 0,
            "commit": "0" * 40,
            "organizations": [
                {
                    "organization": "acme",
                    "ending": "applied",
                    "server": "https://scim.example/v2",
                    "mode": "enforce",
                    "run": "9f86d081884c",
                    "fingerprint": PLANNED.fingerprint,
                    "counts": {
                        "gain": 1,
                        "move": 1,
                        "lose": 1,
                        "lose_everything": 1,
                        "new_admins": 1,
                        "former_admins": 1,
                        "accounts": {},
                    },
                    "results": {"applied": 3},
                    "people": [
                        {
                            "user": "ann@acme.example",
                            "verb": "becomes organization admin",
                            "scopes": [
                                {"scope": {"project": None}, "before": ["viewer"], "after": ["admin"]}
                            ],
                            "result": "applied",
                            "detail": None,
                        },
                        {
                            "user": "bob@acme.example",
                            "verb": "loses everything",
                            "scopes": [{"scope": {"project": "web"}, "before": ["viewer"], "after": []}],
                            "result": "applied",
                            "detail": None,
                        },
                        {
                            "user": "cat@acme.example",
                            "verb": "is no longer organization admin",
                            "scopes": [
                                {"scope": {"project": "web"}, "before": [], "after": ["viewer"]},
                                {"scope": {"project": None}, "before": ["admin"], "after": ["viewer"]},
                            ],
                            "result": "applied",
                            "detail": None,
                        },
                    ],
                    "people_left_off": 0,
                    "refusals": [],
                    "failures": [],
                    "problems": [],
                    "findings": {},
                }
            ],
            "failures": [],
            "who": "ann",
            "pipeline": ORIGIN.pipeline,
        },
    }


def test_the_library_of_receivers_takes_what_we_sign_by_either_secret_and_nothing_that_was_changed() -> None:
    now = datetime.now(UTC)  # the library has a clock of its own
    told = made((prepared(), applied(), "r"))
    body = webhook.body(told, now)
    headers = dict(webhook.headers(webhook.name(told, now), body, KEYS, now))
    for key in KEYS:
        assert Referee(f"whsec_{key.reveal()}").verify(body, headers)["type"] == "reconciler.apply"
    other = Referee("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    with pytest.raises(WebhookVerificationError):
        other.verify(body, headers)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(now.timestamp()) - 1)}):
        with pytest.raises(WebhookVerificationError):
            Referee(KEYS[0].reveal()).verify(body, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Referee(KEYS[0].reveal()).verify(body + b" ", headers)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_every_kind_are_signed_and_read_back(name: str) -> None:
    now = datetime.now(UTC)
    who = principal("x", user_name=name)
    told = drift(prepared(plan(deactivate(who)), live({}, who)))
    body = webhook.body(told, now)
    headers = dict(webhook.headers(webhook.name(told, now), body, KEYS, now))
    read = Referee(KEYS[0].reveal()).verify(body, headers)
    assert read["data"]["organizations"][0]["people"][0]["user"] in (name, f"{name[:299]}…")


def test_a_body_stays_small_and_says_how_many_people_it_leaves_off() -> None:
    changes = [set_roles(str(i), scope_change(WEB, "", "viewer")) for i in range(10_000)]
    body = webhook.body(drift(prepared(plan(*changes), live())), NOW)
    [told] = json.loads(body)["data"]["organizations"]
    assert (len(told["people"]), told["people_left_off"], told["counts"]["gain"]) == (50, 9950, 10_000)
    assert len(body) < 20_000


def test_the_same_on_the_same_day_has_one_name_whoever_sends_it() -> None:
    told = drift(prepared())
    name = webhook.name(told, NOW)
    again = replace(told, origin=replace(ORIGIN, who="bob", pipeline="https://circleci.com/gh/acme/policy/8"))
    assert webhook.name(again, NOW + timedelta(hours=11)) == name
    assert webhook.name(told, NOW + timedelta(hours=13)) != name
    assert webhook.name(drift(prepared(plan(ANN))), NOW) != name
    assert webhook.name(replace(told, origin=replace(ORIGIN, commit="1")), NOW) != name


def test_two_runs_never_have_one_name() -> None:
    one, other = (made((prepared(), applied(), run)) for run in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"))
    assert webhook.name(one, NOW) != webhook.name(other, NOW)


def test_a_refusal_has_its_guardrail() -> None:
    told = made((prepared(PLANNED, STATE, Violation("removals", 3, 1, "m", "r")), (), "r"))
    assert told.shares[0].refusals == (Refusal("removals", "m", "r"),)
