"""A membership that is saved is read again as the same, whatever people and groups are called."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from build import NOW, binding, group, live, organization, person, policy, principal

from reconciler.directories.file import saved
from reconciler.model import DirectoryGroup, LiveState, Member, Membership
from reconciler.policy.document import AttributeNames, DirectoryKind, DirectorySettings, GroupRef, Policy

ENG = policy(binding("eng", "viewer"), binding("sre", "admin"))
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def kept(
    folder: Path, membership: Membership, state: LiveState, of: Policy = ENG
) -> tuple[Membership, datetime, int]:
    text, left_out = saved.text(membership, state, of, NOW)
    file = folder / "members.json"
    file.write_text(text, encoding="utf-8")
    return *saved.read(file, of, of.groups, LATER), left_out


def test_who_is_in_a_group_comes_back_under_the_names_of_their_accounts(tmp_path: Path) -> None:
    ann = principal("ann", external_id="00u1")
    by_key = [Member("u-bob"), Member(None, "00u1", "ANN.OLD@acme.example", True, "ACTIVE")]
    known = Membership((group("eng", *by_key, id="g1"), group("sre", id="g2")), frozenset(["eng", "sre"]))

    membership, when, left_out = kept(tmp_path, known, live({"bob": {}}, ann, principal("zoe", active=False)))

    people = [
        Member(None, "00u1", "ann@acme.example", True, "ACTIVE"),
        Member(user_name="bob@acme.example"),
        Member(user_name="zoe@acme.example", active=False),
    ]
    bob = people[1]._replace(active=None)
    assert membership.people == frozenset([people[0], bob, people[2]])
    assert membership.groups == (
        DirectoryGroup("g1", "eng", frozenset([people[0], bob])),
        DirectoryGroup("g2", "sre", frozenset()),
    )
    assert (when, left_out) == (NOW, 0)


def test_neither_roles_nor_names_nor_emails_are_kept() -> None:
    ann = principal("ann")._replace(display_name="Ann Secret", email="private@home.example")
    member = Member(user_name="ann@acme.example", display_name="Ann Secret", email="private@home.example")
    text, _ = saved.text(Membership((group("eng", member),)), live({}, ann), ENG, NOW)
    assert json.loads(text) == {
        "format": "reconciler.directory/1",
        "exported": "2026-11-23T12:00:00Z",
        "groups": [{"id": "g-eng", "name": "eng", "members": ["ann@acme.example"]}],
        "people": [{"user_name": "ann@acme.example"}],
    }


def test_what_classes_go_by_is_kept(tmp_path: Path) -> None:
    member = Member(
        user_name="new@acme.example", attributes=(("employeeType", "Contractor"), ("odd", "a\nb"))
    )
    membership, _, _ = kept(tmp_path, Membership((group("eng", member, id="g1"),)), live())
    assert membership.people == frozenset([member._replace(attributes=(("employeeType", "Contractor"),))])


def test_names_that_no_export_can_hold_are_left_out_and_counted(tmp_path: Path) -> None:
    members = [Member(user_name=name) for name in ("ann", "an\nn", "a\u202eb", " x", "y" * 256, "<b>&amp;`|")]
    groups = (group("eng", *members, Member("u-gone"), id="g1"), group("od\nd", id="g3"))

    membership, _, left_out = kept(tmp_path, Membership(groups), live())

    assert {str(member) for member in membership.people or ()} == {"ann", "<b>&amp;`|"}
    assert left_out == 6


def test_what_contradicts_itself_is_made_one_or_left_out(tmp_path: Path) -> None:
    twins = (
        group("eng", Member(None, "1", "ann"), id="g1"),
        group("eng", Member(None, "1", "bob"), Member(None, "2", "ANN"), id="g2"),
        group("sre", Member(user_name="ann"), id="g3"),
        group("sre", Member(user_name="bob"), id="g3"),
        DirectoryGroup("g4", "unknown", None),
    )
    membership, _, _ = kept(tmp_path, Membership(twins), live())
    assert [(one.id, sorted(map(str, one.members or ()))) for one in membership.groups] == [
        ("g1", ["ann"]),
        ("g2", ["ann", "bob"]),
    ]


def test_an_export_that_is_saved_is_read_by_the_names_of_its_policy(tmp_path: Path) -> None:
    names = AttributeNames(user_name="login", external_id="number")
    settings = DirectorySettings(DirectoryKind.FILE, attributes=names)
    of = replace(ENG, organization=replace(organization(), directory=settings))
    known = Membership((DirectoryGroup("(no id) eng", "eng", frozenset([Member(None, "7", "ann")])),))

    membership, _, _ = kept(tmp_path, known, live(), of)

    assert membership.groups == (
        DirectoryGroup(
            "(no id) eng",
            "eng",
            frozenset([Member(None, "7", "ann", attributes=(("login", "ann"), ("number", "7")))]),
        ),
    )


def test_an_earlier_name_of_the_policy_finds_the_account(tmp_path: Path) -> None:
    of = policy(binding("eng", "viewer"), person("ann", previously=("annie@acme.example",)))
    known = Membership((group("eng", Member(user_name="ann@acme.example"), id="g1"),))
    membership, _, _ = kept(tmp_path, known, live({}, principal("x", user_name="annie@acme.example")), of)
    assert {str(one) for one in membership.people or ()} == {"annie@acme.example"}


def test_how_old_it_is_refuses_nobody(tmp_path: Path) -> None:
    text, _ = saved.text(Membership((group("eng", id="g1"),)), live(), ENG, datetime(1999, 1, 1, tzinfo=UTC))
    file = tmp_path / "m.json"
    file.write_text(text, encoding="utf-8")
    assert saved.read(file, ENG, {GroupRef("eng")}, LATER)[1] == datetime(1999, 1, 1, tzinfo=UTC)
