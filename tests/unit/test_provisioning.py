"""What the identity provider's own provisioning left undone: people and memberships, either way round."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from build import NOW, binding, group, live, membership, organization, policy, principal

from reconciler.finding import Finding, Kind
from reconciler.model import DirectoryGroup, LiveState, Member, Membership
from reconciler.people import identity, population, provisioning
from reconciler.policy.document import DirectoryKind, DirectorySettings
from reconciler.ports import ProvisioningFailure

SINCE = NOW - timedelta(days=2)
REMEDY = "look into the identity provider's provisioning to this server"
ANN, BOB, CID = (Member(user_name=f"{name}@acme.example", active=True) for name in ("ann", "bob", "cid"))
SERVER = live({}, principal("ann"), principal("bob"), principal("cid", active=False))
EVERYBODY = (ANN, BOB, CID)


def findings(
    *eng: Member,
    here: Iterable[str] | None = None,
    failures: Iterable[ProvisioningFailure] = (),
    server: LiveState = SERVER,
    everybody: Iterable[Member] = EVERYBODY,
    pushed: Membership | None = None,
) -> tuple[Finding, ...]:
    """`eng` are in the one group of the directory, and those by the short names of `here` in the server's."""
    of = replace(organization(), directory=DirectorySettings(DirectoryKind.OKTA))
    told = Membership((group("eng", *eng),), frozenset(), frozenset({*everybody, *eng}))
    together = identity.together(told)
    who = population.of(policy(binding("eng", "viewer"), of=of), together, server, NOW)
    if here is not None:
        pushed = membership(group("Eng", *here, id="other"))
    return provisioning.findings(who, together, pushed, failures)


def failure(
    person: Member | None, words: str = "HTTP 409", *, group: str | None = None, days: int = 2
) -> ProvisioningFailure:
    return ProvisioningFailure(person, NOW - timedelta(days=days), words, group)


DAN = Member(external_id="x-dan", user_name="dan@acme.example", active=True)


def test_a_person_whom_the_server_lacks_is_told_with_the_words_of_the_log() -> None:
    by_name = Member(user_name="DAN@acme.example", email="x@acme.example")
    found = findings(ANN, DAN, failures=[failure(by_name, days=1), failure(by_name, "no licence left")])
    message = "is in the directory (eng), and not on the server; its log says: no licence left"
    assert found == (Finding(Kind.UNPROVISIONED, "dan@acme.example", message, REMEDY, since=SINCE),)


@pytest.mark.parametrize(
    "person",
    [Member(external_id="x-other", email="dan@acme.example"), Member(email="dan@acme.example")],
    ids=["somebody else's", "nobody's, by keys"],
)
def test_the_log_is_believed_of_nobody_by_an_e_mail(person: Member) -> None:
    (found,) = findings(DAN, failures=[failure(person)])
    assert (found.message, found.since) == ("is in the directory (eng), and not on the server", None)


def test_a_person_without_a_name_is_told_by_the_id_and_why() -> None:
    (found,) = findings(Member(external_id="x-dan", active=True))
    assert found.subject == "x-dan"
    assert found.message.endswith("and not on the server; the directory has no userName for them")


def test_a_person_whom_the_server_lacks_is_told_with_all_their_groups() -> None:
    of = replace(organization(), directory=DirectorySettings(DirectoryKind.OKTA))
    told = Membership((group("ops", DAN), group("eng", DAN)), people=frozenset([*EVERYBODY, DAN]))
    who = population.of(policy(binding("ops", "viewer"), binding("eng", "admin"), of=of), told, SERVER, NOW)
    (found,) = provisioning.findings(who, told, None, ())
    assert found.message == "is in the directory (eng, ops), and not on the server"


def test_memberships_are_compared_by_person_either_way_round() -> None:
    found = findings(ANN, here=["bob"], failures=[failure(ANN, "full", group="ENG"), failure(BOB, "old")])
    lacks = "is in the group 'eng' of the directory, and not in the server's; its log says: full"
    more = "is in the group 'eng' of the server, and not in the directory's"
    assert found == (
        Finding(Kind.UNKNOWN, "bob@acme.example", more, REMEDY, since=SINCE),
        Finding(Kind.UNPROVISIONED, "ann@acme.example", lacks, REMEDY, since=SINCE),
    )


def test_memberships_that_are_alike_are_no_finding() -> None:
    assert findings(ANN, BOB, here=["ann", "bob"]) == ()


def test_of_who_is_inactive_on_either_side_or_leaves_no_membership_is_told() -> None:
    left = ANN._replace(active=False)
    assert findings(left, CID, here=[], everybody=(left, BOB, CID)) == ()
    assert findings(BOB, here=["ann", "bob", "cid"], everybody=(BOB, CID)) == ()


@pytest.mark.parametrize(
    "pushed",
    [
        None,
        membership(),
        membership(group("ops", "bob")),
        membership(group("eng", "bob", id="1"), group("eng", "bob", id="2")),
        membership(DirectoryGroup("1", "eng", None)),
    ],
    ids=["no groups listed", "no groups", "no such group", "two of them", "one that is not readable"],
)
def test_without_one_group_of_that_name_on_the_server_nothing_is_said(pushed: Membership | None) -> None:
    assert findings(ANN, pushed=pushed) == ()


def test_people_who_can_not_be_told_apart_are_named_by_the_problem_alone() -> None:
    twins = [Member(external_id=f"x-{n}", user_name="dan@acme.example", active=True) for n in (1, 2)]
    assert findings(*twins) == ()


def test_what_the_log_tells_of_a_group_as_a_whole_is_told_of_it_and_of_who_is_missing_there() -> None:
    found = findings(ANN, BOB, here=["bob"], failures=[failure(None, "too large", group="Eng")])
    lacks = "is in the group 'eng' of the directory, and not in the server's; its log says: too large"
    assert found == (
        Finding(Kind.UNPROVISIONED, "ann@acme.example", lacks, REMEDY, since=SINCE),
        Finding(
            Kind.UNPROVISIONED,
            "eng",
            "could not be pushed whole; its log says: too large",
            REMEDY,
            since=SINCE,
        ),
    )
