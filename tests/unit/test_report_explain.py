"""Explanations as text: what can be told of a person, a scope, a reason or a line, each in its words."""

from dataclasses import replace

import pytest
from build import END, NOW, SERVER, WEB, at, principal, provenance, some

from reconciler.change import AccountChange, CreateUser, DeleteUser, SetActive, data
from reconciler.explanation import Answer, Explanation, Reason, ScopeExplanation, Standing, Verdict
from reconciler.finding import Finding, Kind
from reconciler.git.commits import Commit, Untold, Writer
from reconciler.model import DIRECTORY, Member, Principal, Provenance, Role, provisional
from reconciler.people.classes import End
from reconciler.policy.document import Mode
from reconciler.report import explain

ANN = principal("ann", active=None)
COMMIT = Commit("c0ffee" * 7, "Ann", NOW, "the shop")
SCOPE = ScopeExplanation(WEB, some("viewer"), some("viewer"), Verdict.RIGHT)


def told(explained: Explanation, writer: Writer = COMMIT) -> list[str]:
    """What is told below the name, of lines that all have one writer."""
    places = [at(line) for line in range(1, 9)]
    writers = {(place.file, place.line): writer for place in places}
    return explain.text(Answer("acme", SERVER, Mode.ENFORCE, (explained,)), None, writers)[3:]


def reason(source: Provenance, standing: Standing = Standing.APPLIES) -> list[str]:
    """What is told of one reason."""
    scope = replace(SCOPE, reasons=(Reason(source, standing),))
    return [line.strip() for line in told(Explanation(ANN, (scope,)))[2:]]


LINE = "team.yaml:1, commit c0ffeec0ff of 2026-11-23 by Ann: the shop"


@pytest.mark.parametrize(
    ("person", "lines"),
    [
        (Explanation(ANN, (SCOPE,)), ["  id u-ann"]),
        (
            Explanation(Principal("7", "ann", "00u1", True, "Ann Ng", email="a@x"), (SCOPE,)),
            ["  id 7, externalId 00u1, Ann Ng, e-mail a@x, active on the server"],
        ),
        (
            Explanation(ANN, (SCOPE,), Member(active=False, status="SUSPENDED", since=NOW)),
            [
                "  id u-ann",
                "  SUSPENDED in the directory since 2026-11-23 12:00 UTC, and so entitled to nothing",
            ],
        ),
        (
            Explanation(ANN, (SCOPE,), Member(active=None, status="BRAND_NEW")),
            ["  id u-ann", "  BRAND_NEW in the directory"],
        ),
        (Explanation(ANN, (SCOPE,), Member(active=True)), ["  id u-ann", "  active in the directory"]),
        (
            Explanation(ANN, (SCOPE,), classes=("contractor", "vendor"), end=End(END, at(1), "contractor")),
            [
                "  id u-ann",
                "  class contractor, vendor",
                "  their time ends: 2026-11-27 23:59 UTC",
                f"    {LINE}",
            ],
        ),
        (
            Explanation(ANN, (SCOPE,), end=End(NOW, at(1)), over=True),
            [
                "  id u-ann",
                "  their time ended, and so they are entitled to nothing: 2026-11-23 12:00 UTC",
                f"    {LINE}",
            ],
        ),
    ],
    ids=["little", "much", "suspended", "a status of tomorrow", "active", "class", "over"],
)
def test_what_is_known_of_a_person_is_told(person: Explanation, lines: list[str]) -> None:
    assert told(person) == [
        *lines,
        "  web: viewer, as it should be",
        "    nothing in the policy gives it",
    ]


@pytest.mark.parametrize(
    ("source", "standing", "lines"),
    [
        (
            Provenance("binding", "eng", at(), Role.VIEWER, person_class="contractor", asked=Role.ADMIN),
            Standing.APPLIES,
            [
                "applies    viewer       group eng",
                "admin was asked for: class contractor goes no higher",
                LINE,
            ],
        ),
        (
            Provenance("binding", "eng", at(), Role.VIEWER, person_class="contractor", withheld=True),
            Standing.IDLE,
            [
                "no effect  viewer       group eng",
                "not for class contractor, which it does not name",
                LINE,
                "nothing in the policy gives it now",
            ],
        ),
        (
            Provenance(DIRECTORY, "SUSPENDED in the directory", at(), Role.VIEWER, withheld=True),
            Standing.DENIED,
            [
                "denied     viewer       SUSPENDED in the directory",
                LINE,
                "nothing in the policy gives it now",
            ],
        ),
        (
            Provenance("end", "ann", at(), Role.VIEWER, until=NOW, ended=True, person_class="contractor"),
            Standing.ENDED,
            [
                "ended      viewer       their time as contractor ended 2026-11-23 12:00 UTC",
                LINE,
                "nothing in the policy gives it now",
            ],
        ),
        (
            Provenance("service account", "bot", at(), Role.VIEWER, "releases"),
            Standing.APPLIES,
            ["applies    viewer       service account, releases", LINE],
        ),
        (
            provenance("ann", reason="INC-7", until=END),
            Standing.APPLIES,
            ["applies    viewer       temporary grant until 2026-11-27 23:59 UTC, INC-7", LINE],
        ),
    ],
    ids=["capped", "withheld", "denied", "over", "service account", "grant"],
)
def test_what_a_reason_comes_to_is_told(source: Provenance, standing: Standing, lines: list[str]) -> None:
    assert reason(source, standing) == lines


@pytest.mark.parametrize(
    ("writer", "words"),
    [
        (COMMIT, "commit c0ffeec0ff of 2026-11-23 by Ann: the shop"),
        (replace(COMMIT, at=None), "commit c0ffeec0ff by Ann: the shop"),
        (
            replace(COMMIT, or_earlier=True),
            "commit c0ffeec0ff of 2026-11-23 by Ann: the shop, or one before it: this clone ends there",
        ),
        (Untold("not committed yet"), "not committed yet"),
        (
            Commit("a" * 40, "A\x1b[2J\n", NOW, "\u202e"),
            r"commit aaaaaaaaaa of 2026-11-23 by A\x1b[2J\n: \u202e",
        ),
    ],
    ids=["commit", "no date", "shallow", "none", "hostile"],
)
def test_who_wrote_a_line_is_told(writer: Writer, words: str) -> None:
    scope = replace(SCOPE, reasons=(Reason(provenance(), Standing.APPLIES),))
    assert told(Explanation(ANN, (scope,)), writer)[-1].strip() == f"team.yaml:1, {words}"


@pytest.mark.parametrize(
    ("change", "mode", "words"),
    [
        (
            SetActive(ANN, False, "SUSPENDED in the directory"),
            Mode.ENFORCE,
            "deactivated: SUSPENDED in the directory",
        ),
        (
            DeleteUser(ANN, "gone"),
            Mode.ADDITIVE,
            "deleted: gone, but mode additive takes nothing away",
        ),
        (SetActive(ANN, True, "back"), Mode.ADDITIVE, "reactivated: back"),
        (SetActive(ANN, True, "back"), Mode.REPORT, "reactivated: back, but mode report never writes"),
    ],
    ids=["enforce", "a loss in additive", "a gain in additive", "report"],
)
def test_what_is_to_become_of_an_account_is_told(change: AccountChange, mode: Mode, words: str) -> None:
    answer = Answer("acme", SERVER, mode, (Explanation(ANN, (), account=(change,)),))
    lines = explain.text(answer, None, {})
    assert lines[4] == f"  the account is to be {words}"
    [person] = explain.data([answer], None, {}, ())["organizations"][0]["people"]  # type: ignore[index]
    assert [one["kind"] for one in person["account"]] == [data(change)["kind"]]


def test_what_somebody_should_look_at_is_told() -> None:
    look = Finding(
        Kind.LEAVER, "ann@acme.example", "is active here, and not in the directory", "see", since=NOW
    )
    explained = Explanation(ANN, (), findings=(look,))
    assert told(explained)[-1] == (
        "  to look at: is active here, and not in the directory, since 2026-11-23; see"
    )


def test_who_is_to_be_created_has_no_id_yet() -> None:
    joe = Principal(provisional("joe"), "joe", "00u1", True, "Joe")
    explained = Explanation(joe, (), account=(CreateUser(joe, "in the group eng"),))
    assert told(explained)[:2] == [
        "  no account yet, externalId 00u1, Joe",
        "  the account is to be created: in the group eng",
    ]
    answer = Answer("acme", SERVER, Mode.ENFORCE, (explained,))
    [person] = explain.data([answer], None, {}, ())["organizations"][0]["people"]  # type: ignore[index]
    assert (person["id"], person["user"]) == (None, "joe")
