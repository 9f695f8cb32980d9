"""Roles that run after run writes alike, for somebody else changes them back."""

from dataclasses import replace

import pytest
from build import WEB, some
from recording import kept

from reconciler.change import Attribute, AttributeChange, Result
from reconciler.history import (
    ActiveWrite,
    Begun,
    Contested,
    ContestedAccount,
    Ended,
    PastRun,
    ScopeWrite,
    Write,
    contested,
)
from reconciler.report import past

BEGUN = Begun(
    at="2026-11-24T09:00:00.000Z",
    organization="acme",
    server="https://scim.example",
    mode="enforce",
    tree="",
    fingerprint="",
    changes=1,
    who=None,
    commit=None,
    pipeline=None,
    undoes=None,
    approved=(),
)
ENDED = Ended("2026-11-24T09:00:01.000Z")


def wrote(name: str = "ann", after: str = "viewer", result: Result | None = Result.APPLIED) -> Write:
    scope = ScopeWrite(WEB, some("admin"), some(after))
    return Write(
        line=2, subject=name, principal_id=f"u-{name}", active=True, scopes=(scope,), result=result, detail=""
    )


def run(*writes: Write, organization: str = "acme", undoes: str | None = None) -> PastRun:
    begun = replace(BEGUN, organization=organization, undoes=undoes)
    return PastRun("1f2e3d4c5b6a", begun, writes, (), ENDED)


DISPUTE = Contested("acme", "ann", WEB, some("viewer"))


def test_what_the_last_three_runs_each_wrote_is_contested() -> None:
    runs = [run(wrote(), wrote("bob")), run(wrote()), run(wrote("cat"), wrote())]
    assert contested(runs) == (DISPUTE,)
    assert past.table(kept(*runs))[-1] == (
        "contested: ann, web -> viewer was written by each of the last 3 runs over acme; "
        "somebody else changes it back"
    )
    assert past.data(kept(*runs))["contested"] == [
        {"organization": "acme", "subject": "ann", "scope": {"project": "web"}, "after": ["viewer"]}
    ]


@pytest.mark.parametrize(
    "runs",
    [
        [run(wrote()), run(wrote())],
        [run(wrote()), run(wrote()), run()],
        [run(wrote()), run(wrote()), run(wrote(after="contributor"))],
        [run(wrote()), run(wrote()), run(wrote(result=Result.FAILED))],
        [run(wrote()), run(wrote()), run(wrote(), organization="globex")],
        [run(wrote()), run(wrote()), run(wrote(), undoes="a1b2c3")],
        [run(wrote()), run(wrote()), replace(run(wrote()), ended=None)],
    ],
    ids=["twice", "not the last time", "another role", "failed", "another organization", "undo", "killed"],
)
def test_what_is_no_dispute(runs: list[PastRun]) -> None:
    assert contested(runs) == ()


def test_runs_of_other_organizations_in_between_do_not_end_a_dispute() -> None:
    other = run(organization="globex")
    assert contested([run(wrote()), other, run(wrote()), other, run(wrote())]) == (DISPUTE,)


def wrote_account(
    after: bool = False, address: str = "a@acme.example", name: str = "ann"
) -> tuple[Write, Write]:
    active = Write(2, name, f"u-{name}", True, (), Result.APPLIED, activity=ActiveWrite(True, after))
    attribute = AttributeChange(Attribute.EMAIL, None, address)
    return active, Write(3, name, f"u-{name}", True, (), Result.APPLIED, attributes=(attribute,))


def test_accounts_that_run_after_run_writes_alike_are_contested_too() -> None:
    runs = [run(wrote(), *wrote_account()) for _ in range(3)]
    assert contested(runs) == (
        DISPUTE,
        ContestedAccount("acme", "ann", "active", False),
        ContestedAccount("acme", "ann", "emails", "a@acme.example"),
    )
    words = "was written by each of the last 3 runs over acme; somebody else changes it back"
    assert past.table(kept(*runs))[-2:] == [
        f"contested: ann, active -> false {words}",
        f"contested: ann, emails -> a@acme.example {words}",
    ]
    disputes = past.data(kept(*runs))["contested"]
    assert isinstance(disputes, list)
    assert disputes[1:] == [
        {"organization": "acme", "subject": "ann", "attribute": "active", "after": False},
        {"organization": "acme", "subject": "ann", "attribute": "emails", "after": "a@acme.example"},
    ]


def test_accounts_that_are_written_otherwise_each_time_are_no_dispute() -> None:
    runs = [
        run(*wrote_account(after, address)) for after, address in ((True, "a"), (False, "b"), (True, "c"))
    ]
    assert contested(runs) == ()
