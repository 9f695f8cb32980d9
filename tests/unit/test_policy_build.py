"""From a valid document to the typed policy, whole values compared."""

from datetime import UTC, datetime

from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.policy.build import Builder
from reconciler.policy.document import (
    AttributeNames,
    Binding,
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Guardrails,
    Lifecycle,
    Limit,
    MembersFrom,
    Mode,
    Notice,
    Organization,
    PersonClass,
    PersonEntry,
    Review,
    RoleEntry,
    RoleStorage,
    ServiceAccount,
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


PEOPLE_IN_ORGANIZATION = """\
version: 1
organization: acme
mode: enforce
directory: {kind: okta, entitled: [ACTIVE], log: true, attributes: {user_name: email}}
lifecycle: {joiners: create, leavers: deactivate, returners: reactivate, attributes: repair, grace: 3,
  delete_after: 90}
notice: {ending: 14}
classes:
  contractor:
    match: {groups: [contractors, {name: agency, id: 00g7, previously: [agencies]}],
      attributes: {userType: [Contractor, Temp]}}
    ends: {required: true, attribute: contractEnd}
    highest_role: contributor
    bindings: named
  intern: {}
guardrails: {creations: 5, service_admins: [bot@acme.example]}
"""

PEOPLE_FILE = """\
version: 1
bindings:
  - group: eng
    organization: viewer
    classes: [contractor]
people:
  - {user: carl@agency.example, classes: [contractor], ends: 2026-12-31}
  - {user: dana.jones@acme.example, previously: [dana.smith@acme.example]}
service_accounts:
  - user: bot@acme.example
    owner: dana.jones@acme.example
    reason: deploys
    review: 2027-03-31T12:00:00Z
    projects: {storefront: admin}
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


def test_classes_and_settings_of_people_are_built_whole() -> None:
    organization = built(PEOPLE_IN_ORGANIZATION, "organization").organization()
    assert organization.directory == DirectorySettings(
        DirectoryKind.OKTA, entitled=("ACTIVE",), log=True, attributes=AttributeNames(user_name="email")
    )
    assert organization.lifecycle == Lifecycle(True, True, True, True, grace=3, delete_after=90)
    assert organization.notice == Notice(ending=14)
    assert organization.guardrails == Guardrails(creations=5, service_admins=("bot@acme.example",))
    assert organization.classes == {
        "contractor": PersonClass(
            "contractor",
            at(9, 3, "classes.contractor"),
            (GroupRef("contractors"), GroupRef("agency", "00g7", ("agencies",))),
            {"userType": ("Contractor", "Temp")},
            end_required=True,
            end_attribute="contractEnd",
            highest_role=Role.CONTRIBUTOR,
            only_where_named=True,
        ),
        "intern": PersonClass("intern", at(15, 3, "classes.intern")),
    }


def test_people_and_service_accounts_are_built_whole() -> None:
    builder = built(PEOPLE_FILE, "policy")
    assert builder.bindings()[0].classes == ("contractor",)
    assert builder.bindings()[0].classes_at == (at(5, 15, "bindings[0].classes[0]"),)
    people = builder.people()
    assert people == (
        PersonEntry(
            "carl@agency.example",
            at(7, 5, "people[0]"),
            ("contractor",),
            datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ),
        PersonEntry(
            "dana.jones@acme.example", at(8, 5, "people[1]"), previously=("dana.smith@acme.example",)
        ),
    )
    assert people[0].classes_at == (at(7, 43, "people[0].classes[0]"),)
    assert people[1].previously_at == (at(8, 50, "people[1].previously[0]"),)
    assert builder.service_accounts() == (
        ServiceAccount(
            "bot@acme.example",
            (
                RoleEntry(
                    Scope("storefront"), Role.ADMIN, at(14, 16, "service_accounts[0].projects.storefront")
                ),
            ),
            "dana.jones@acme.example",
            "deploys",
            datetime(2027, 3, 31, 12, tzinfo=UTC),
            at(10, 5, "service_accounts[0]"),
        ),
    )


def test_names_of_classes_are_known_whatever_is_wrong_with_the_rest_of_them() -> None:
    text = "version: 1\nclasses: {contractor: {highest_role: x}, intern: {}}\n"
    document = parse(text, "f.yaml")
    builder = Builder(document, check(document, "organization"))
    assert builder.names_known("classes")
    assert builder.organization().classes == {
        "contractor": PersonClass("contractor", at(2, 11, "classes.contractor")),
        "intern": PersonClass("intern", at(2, 42, "classes.intern")),
    }


def test_a_directory_is_known_only_where_nothing_is_wrong_with_it_and_nothing_may_stand_for_it() -> None:
    head = "version: 1\norganization: acme\nmode: report\n"
    for text, known in (
        (head, True),
        (f"{head}directory: {{kind: okta}}\n", True),
        (f"{head}directory: {{kind: okta}}\nclases: {{}}\n", True),
        (f"{head}directory: {{kind: octa}}\n", False),
        (f"{head}directry: {{kind: okta}}\n", False),
    ):
        document = parse(text, "f.yaml")
        assert Builder(document, check(document, "organization")).directory_known is known


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


def test_an_entry_is_reviewed_as_it_says_itself_or_else_as_its_file_does() -> None:
    text = """\
version: 1
reviewed: {date: 2026-10-01, by: ada}
bindings:
  - {group: eng, organization: viewer}
  - {group: ops, organization: viewer, reviewed: {date: 2026-09-01T12:00:00+02:00, by: bob}}
grants:
  - {user: cleo, organization: viewer, reason: INC-1, expires: 2026-11-27}
service_accounts:
  - {user: bot, organization: viewer, owner: ada, reason: deploys, review: 2027-03-31}
"""
    policy = built(text, "policy")
    of_file = Review(datetime(2026, 10, 1, 23, 59, 59, 999999, UTC), "ada", at(2, 1, "reviewed"))
    own = Review(datetime(2026, 9, 1, 10, tzinfo=UTC), "bob", at(5, 40, "bindings[1].reviewed"))
    assert [entry.reviewed for entry in policy.bindings()] == [of_file, own]
    assert [policy.grants()[0].reviewed, policy.service_accounts()[0].reviewed] == [of_file, of_file]


def test_how_long_a_review_holds_is_the_organizations_to_say() -> None:
    head = "version: 1\norganization: acme\nmode: report\n"
    assert built(head, "organization").organization().longest_review is None
    assert built(f"{head}reviews: {{longest: 90}}\n", "organization").organization().longest_review == 90
