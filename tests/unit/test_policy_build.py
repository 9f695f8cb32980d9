"""From a valid document to the typed policy, whole values compared."""

from datetime import UTC, datetime

from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.policy.build import Builder
from reconciler.policy.document import (
    Binding,
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Guardrails,
    Limit,
    MembersFrom,
    Mode,
    Organization,
    RoleEntry,
    RoleStorage,
    StoredAs,
    TemporaryGrant,
)
from reconciler.policy.reader import parse
from reconciler.policy.schema import check
from reconciler.problem import Location, Problem

ORGANIZATION_FILE = """\
version: 1
organization: acme
mode: enforce
projects:
  storefront: {}
  checkout: {id: 5d1f0a4e}
organization_roles: unmanaged
directory: {kind: scim, members_from: filter}
guardrails: {minimum_admins: 3, protected: [break-glass@acme.example], removals: {count: 4},
  required_admins: [ada@acme.example], demotions: {percent: 0}, last_roles: {percent: 1, count: 2},
  deactivations: {count: 0}, expiries: {count: 7}, emptied_groups: 1, admins_gained: 0, longest_grant: 30}
roles: {stored_as: groups, project: "circleci-{project}-{role}"}
"""

POLICY_FILE = """\
version: 1
bindings:
  - group: eng-web
    organization: viewer
    projects: {storefront: admin, checkout: contributor}
  - group: {name: eng-app, id: 00g1, previously: [app, apps]}
    projects: {storefront: viewer}
grants:
  - user: dana@acme.example
    organization: admin
    reason: INC-4211
    starts: 2026-11-20
    expires: 2026-11-20
"""


def built(text: str, name: str) -> Builder:
    document = parse(text, "f.yaml")
    assert check(document, name) == []
    return Builder(document)


def at(line: int, column: int, path: str) -> Location:
    return Location("f.yaml", line, column, path)


def test_an_organization_file_becomes_an_organization() -> None:
    organization = built(ORGANIZATION_FILE, "organization").organization()
    assert organization == Organization(
        name="acme",
        mode=Mode.ENFORCE,
        at=at(2, 15, "organization"),
        projects={"storefront": "storefront", "checkout": "5d1f0a4e"},
        organization_roles_managed=False,
        directory=DirectorySettings(DirectoryKind.SCIM, MembersFrom.FILTER),
        guardrails=Guardrails(
            minimum_admins=3,
            protected=("break-glass@acme.example",),
            removals=Limit(count=4, percent=20),
            demotions=Limit(count=10, percent=0),
            last_roles=Limit(count=2, percent=1),
            deactivations=Limit(count=0, percent=20),
            expiries=Limit(count=7, percent=100),
            required_admins=("ada@acme.example",),
            emptied_groups=1,
            admins_gained=0,
            longest_grant=30,
        ),
        roles=RoleStorage(StoredAs.GROUPS, "org-{role}", "circleci-{project}-{role}"),
    )
    assert organization.place("projects", "checkout") == at(6, 3, "projects.checkout")
    assert organization.place("projects", "none") == organization.at


def test_what_an_organization_file_does_not_say_has_its_default() -> None:
    organization = built("version: 1\norganization: acme\nmode: report\n", "organization").organization()
    assert organization == Organization("acme", Mode.REPORT, at(2, 15, "organization"))


def test_protected_people_are_found_again() -> None:
    assert built(ORGANIZATION_FILE, "organization").protected_at() == {
        "break-glass@acme.example": at(9, 45, "guardrails.protected[0]")
    }


def test_bindings_keep_where_each_role_is_given() -> None:
    bindings = built(POLICY_FILE, "policy").bindings()
    assert bindings == (
        Binding(
            GroupRef("eng-web"),
            (
                RoleEntry(ORGANIZATION, Role.VIEWER, at(4, 5, "bindings[0].organization")),
                RoleEntry(Scope("storefront"), Role.ADMIN, at(5, 16, "bindings[0].projects.storefront")),
                RoleEntry(Scope("checkout"), Role.CONTRIBUTOR, at(5, 35, "bindings[0].projects.checkout")),
            ),
            at(3, 5, "bindings[0]"),
        ),
        Binding(
            GroupRef("eng-app", "00g1", ("app", "apps")),
            (RoleEntry(Scope("storefront"), Role.VIEWER, at(7, 16, "bindings[1].projects.storefront")),),
            at(6, 5, "bindings[1]"),
        ),
    )
    assert [place.path for place in bindings[1].previously_at] == [
        "bindings[1].group.previously[0]",
        "bindings[1].group.previously[1]",
    ]


def test_a_temporary_grant_lasts_from_the_beginning_of_a_day_to_the_end_of_one() -> None:
    assert built(POLICY_FILE, "policy").grants() == (
        TemporaryGrant(
            user="dana@acme.example",
            roles=(RoleEntry(ORGANIZATION, Role.ADMIN, at(10, 5, "grants[0].organization")),),
            reason="INC-4211",
            expires=datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC),
            at=at(9, 5, "grants[0]"),
            starts=datetime(2026, 11, 20, tzinfo=UTC),
        ),
    )


def test_an_absent_and_an_empty_list_both_give_nobody_anything() -> None:
    for text in ("version: 1\n", "version: 1\nbindings: []\ngrants: []\n"):
        builder = built(text, "policy")
        assert (builder.bindings(), builder.grants()) == ((), ())


def test_an_entry_with_a_problem_is_left_out_and_the_others_stay() -> None:
    document = parse(POLICY_FILE, "f.yaml")
    builder = Builder(document, [Problem(at(5, 1, "bindings[0].projects.storefront"), "wrong")])
    assert [binding.group.name for binding in builder.bindings()] == ["eng-app"]
    assert len(builder.grants()) == 1


def test_project_names_are_known_whatever_their_ids() -> None:
    document = parse("version: 1\nmode: x\nprojects: {storefront: {ID: x}, checkout: 3}\n", "f.yaml")
    builder = Builder(document, check(document, "organization"))
    assert builder.names_known("projects")
    assert set(builder.organization().projects) == {"storefront", "checkout"}


def test_projects_are_unknown_where_their_key_may_be_misspelled_or_their_list_is_not_whole() -> None:
    for text in (
        "projcts: {}\n",
        "projects:\n",
        "projects: {}\nprojects: {a: {}}\n",
        "projects: {<<: {}}\n",
        "",
        "[\n",
    ):
        document = parse(text, "f.yaml")
        problems = [*document.problems, *(check(document, "organization") if document.whole else [])]
        assert not Builder(document, problems).names_known("projects")
