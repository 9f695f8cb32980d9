"""What a schema cannot say: each rule, where it strikes and where it does not."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.model import Role, Scope
from reconciler.policy import rules
from reconciler.policy.document import (
    Binding,
    DirectoryKind,
    DirectorySettings,
    GroupRef,
    Guardrails,
    Lifecycle,
    Mode,
    Organization,
    PersonClass,
    PersonEntry,
    Policy,
    RoleEntry,
    RoleStorage,
    ServiceAccount,
    StoredAs,
    TemporaryGrant,
)
from reconciler.problem import Location

ORG = None
"""The organization, as a key of `roles` below."""

lines = itertools.count(1)
"""Each entry stands in a line of its own, after those made before it."""


def here() -> Location:
    return Location("f.yaml", next(lines), 1)


def entries(roles: Mapping[str | None, str]) -> tuple[RoleEntry, ...]:
    return tuple(RoleEntry(Scope(scope), Role[role.upper()], here()) for scope, role in roles.items())


def binding(
    group: str = "eng",
    roles: Mapping[str | None, str] = {"web": "viewer"},
    *,
    id: str | None = None,
    previously: tuple[str, ...] = (),
) -> Binding:
    reference = GroupRef(group, id, previously)
    return Binding(reference, entries(roles), here(), tuple(here() for _ in previously))


def grant(
    user: str = "dana",
    roles: Mapping[str | None, str] = {"web": "viewer"},
    *,
    starts: int | None = None,
    expires: int = 30,
) -> TemporaryGrant:
    """A grant within November 2026: `starts` and `expires` are days."""
    begins = datetime(2026, 11, starts, tzinfo=UTC) if starts else None
    return TemporaryGrant(
        user, entries(roles), "INC-1", datetime(2026, 11, expires, tzinfo=UTC), here(), begins
    )


def organization(
    projects: Mapping[str, str] = {"web": "web", "app": "app"},
    *,
    managed: bool = True,
    roles: RoleStorage = RoleStorage(),  # noqa: B008
    protected: tuple[str, ...] = (),
    required_admins: tuple[str, ...] = (),
    service_admins: tuple[str, ...] = (),
    classes: tuple[PersonClass, ...] = (),
    lifecycle: Lifecycle = Lifecycle(),  # noqa: B008
    directory: DirectoryKind = DirectoryKind.SCIM,
    written: tuple[tuple[str | int, ...], ...] = (),
) -> Organization:
    """`written` are the steps to keys that stand in the file."""
    return Organization(
        name="acme",
        mode=Mode.REPORT,
        at=Location("organization.yaml", 2, 15, "organization"),
        projects=projects,
        organization_roles_managed=managed,
        guardrails=Guardrails(
            protected=protected, required_admins=required_admins, service_admins=service_admins
        ),
        roles=roles,
        directory=DirectorySettings(directory),
        lifecycle=lifecycle,
        classes={one.name: one for one in classes},
        places={steps: here() for steps in written},
    )


def person(
    user: str = "carl",
    *classes: str,
    ends: bool = False,
    previously: tuple[str, ...] = (),
) -> PersonEntry:
    end = datetime(2026, 12, 31, tzinfo=UTC) if ends else None
    places = tuple(here() for _ in classes), tuple(here() for _ in previously)
    return PersonEntry(user, here(), classes, end, previously, *places)


def machine(
    user: str = "bot", roles: Mapping[str | None, str] = {"web": "viewer"}, *, owner: str = "dana"
) -> ServiceAccount:
    review = datetime(2027, 1, 1, tzinfo=UTC)
    return ServiceAccount(user, entries(roles), owner, "deploys", review, here())


Entry = Binding | TemporaryGrant | PersonEntry | ServiceAccount


def told(*given: Entry, of: Organization | None = None) -> list[str]:
    """The messages; THERE stands for the other place that one names."""
    of = of or organization()
    bindings = tuple(entry for entry in given if isinstance(entry, Binding))
    grants = tuple(entry for entry in given if isinstance(entry, TemporaryGrant))
    people = tuple(entry for entry in given if isinstance(entry, PersonEntry))
    machines = tuple(entry for entry in given if isinstance(entry, ServiceAccount))
    protected_at = {user: here() for user in of.guardrails.protected}
    problems = rules.check(Policy(of, bindings, grants, people, machines, protected_at))
    return [re.sub(r"f\.yaml:\d+:1", "THERE", problem.message) for problem in problems]


@pytest.mark.parametrize(
    "given",
    [
        (),
        (binding(), binding("ops"), binding(roles={"app": "admin"})),
        (binding(roles={ORG: "contributor", "web": "contributor", "app": "admin"}),),
        (binding(id="1"), binding(id="2")),
        (binding(id="1", roles={"web": "admin"}), binding(id="2", roles={ORG: "admin"})),
        (binding(previously=("old",)), binding("new", previously=("older",))),
        (grant(starts=2, expires=3), grant(starts=4, expires=5), grant("rosa", starts=2)),
        (grant(), grant(roles={ORG: "admin"}), grant(roles={"app": "admin"})),
        (grant(expires=1),),
        (grant("protected-not"), binding("protected")),
    ],
    ids=[
        "an empty policy",
        "different groups and scopes",
        "project roles as high as the organization's or higher",
        "two groups of one name told apart by id",
        "two groups of one name and roles of different ranks",
        "earlier names that nobody has now",
        "grants that follow each other",
        "grants in different scopes",
        "a grant that is over",
        "a group with the name of a protected person",
    ],
)
def test_a_sound_policy_has_no_problem(given: tuple[Binding | TemporaryGrant, ...]) -> None:
    assert told(*given, of=organization(protected=("protected",))) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            (binding(roles={"web": "admin", "app": "viewer"}), binding(roles={"web": "viewer"})),
            ["group 'eng' is made viewer of project 'web' here, but admin in THERE"],
        ),
        (
            (binding(roles={"web": "admin", "app": "viewer"}), binding(roles={"web": "admin"})),
            ["group 'eng' is made admin of project 'web' here and again in THERE"],
        ),
        (
            (binding(), binding(), binding()),
            ["this binding of group 'eng' repeats the one in THERE"] * 2,
        ),
        (
            (binding(id="1"), binding(roles={"web": "admin"})),
            ["group 'eng' is made admin of project 'web' here, but viewer in THERE"],
        ),
        (
            (binding("Eng"), binding("eng", roles={"app": "viewer"})),
            ["the group 'eng' is 'Eng' in THERE"],
        ),
        (
            (binding("a", id="1"), binding("b", id="1", roles={"app": "viewer"})),
            ["the group 'b' is 'a' in THERE"],
        ),
        (
            (binding(roles={ORG: "contributor", "web": "viewer"}),),
            [
                "the role viewer in project 'web' adds nothing: "
                "group 'eng' is contributor of the whole organization (THERE)"
            ],
        ),
        (
            (binding(roles={"web": "contributor"}), binding(roles={ORG: "admin"})),
            [
                "the role contributor in project 'web' adds nothing: "
                "group 'eng' is admin of the whole organization (THERE)"
            ],
        ),
        (
            (binding(previously=("ops", "ENG", "old")), binding("Ops")),
            [
                "'ops' is no earlier name: it is a group of its own in THERE",
                "'ENG' is the group's present name",
            ],
        ),
    ],
    ids=[
        "two roles in one scope",
        "one role in one scope twice",
        "a binding repeated",
        "the one group of that name, with an id and without",
        "one group in two spellings",
        "one id with two names",
        "a project role below the organization role",
        "... of another binding",
        "an earlier name that is in use",
    ],
)
def test_bindings_that_do_not_fit_together_are_told(given: tuple[Binding, ...], expected: list[str]) -> None:
    assert told(*given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((grant(starts=9, expires=8),), ["the grant of 'dana' ends before it starts"]),
        ((grant(starts=9, expires=9),), ["the grant of 'dana' ends before it starts"]),
        ((grant(starts=9, expires=8), grant()), ["the grant of 'dana' ends before it starts"]),
        (
            (grant(roles={ORG: "admin", "web": "viewer"}),),
            [
                "the role viewer in project 'web' adds nothing: "
                "'dana' is admin of the whole organization (THERE)"
            ],
        ),
        (
            (grant(expires=8), grant("Dana", starts=8, expires=9)),
            ["'Dana' is made viewer of project 'web' here and again in THERE"],
        ),
        (
            (grant(starts=1, expires=30), grant(starts=2, expires=3), grant(starts=4, expires=5)),
            ["'dana' is made viewer of project 'web' here and again in THERE"] * 2,
        ),
        (
            (grant("protected", roles={ORG: "admin"}),),
            ["'protected' is protected in THERE, so no plan could carry this grant out"],
        ),
    ],
    ids=[
        "ends before it starts",
        "ends when it starts",
        "never in force, so at no time with another",
        "a project role below the organization role",
        "two at one time, in two spellings",
        "two within a longer one",
        "a protected person",
    ],
)
def test_grants_that_do_not_fit_together_are_told(
    given: tuple[TemporaryGrant, ...], expected: list[str]
) -> None:
    assert told(*given, of=organization(protected=("Protected",))) == expected


def test_the_same_required_admin_in_two_spellings_is_told() -> None:
    assert told(of=organization(required_admins=("ada", "bob", "Ada"))) == [
        "the required admin 'Ada' is the same person as 'ada'"
    ]


def test_a_required_admin_may_be_protected_and_hold_a_temporary_grant() -> None:
    of = organization(required_admins=("ada", "bob"), protected=("bob",))
    assert told(grant("ada", {ORG: "admin"}), of=of) == []


def test_the_same_protected_person_in_two_spellings_is_told() -> None:
    assert told(of=organization(protected=("glass", "Glass"))) == [
        "the protected 'Glass' is the same person as 'glass'"
    ]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (
            organization({"web": "1", "Web": "2"}),
            ["the project names 'web' and 'Web' are the same but for letter case or accents"],
        ),
        (
            organization({"caf\u00e9": "1", "cafe\u0301": "2"}),
            ["the project names 'caf\u00e9' and 'cafe\u0301' are the same but for letter case or accents"],
        ),
        (
            organization({"web": "web", "shop": "WEB"}),
            ["the projects 'web' and 'shop' are both 'WEB' to the provider"],
        ),
        (
            organization({"org": "org"}, roles=RoleStorage(project="{project}-{role}")),
            ["viewer in the organization and viewer in project 'org' are both stored as 'org-viewer'"],
        ),
        (
            organization(
                {"a": "a", "a-admin": "a-admin"}, roles=RoleStorage(project="{role}{project}{role}")
            ),
            [],
        ),
        (organization({"org": "org"}, managed=False, roles=RoleStorage(project="{project}-{role}")), []),
    ],
    ids=["letter case", "normalization", "one id", "templates", "templates that do not meet", "unmanaged"],
)
def test_projects_and_templates_that_collide_are_told_once(of: Organization, expected: list[str]) -> None:
    assert told(of=of) == expected


def test_a_project_that_the_organization_does_not_list_is_told_with_a_suggestion() -> None:
    given = (binding(roles={"webb": "viewer"}), grant(roles={"payments": "viewer"}))
    assert told(*given) == ["unknown project 'webb', did you mean 'web'?", "unknown project 'payments'"]


def test_an_organization_role_is_told_where_the_policy_leaves_them_alone() -> None:
    of = organization(managed=False)
    assert told(binding(roles={ORG: "viewer", "web": "admin"}), of=of) == [
        "an organization role, but organization.yaml:2:15 says `organization_roles: unmanaged`"
    ]


def test_a_binding_of_a_group_that_stands_for_a_role_is_told() -> None:
    of = organization(roles=RoleStorage(StoredAs.GROUPS))
    assert told(binding("Org-Admin"), of=of) == [
        "the group 'Org-Admin' stands for the role admin in the organization"
    ]
    assert told(binding("Org-Admin"), of=organization()) == []


# People and classes

CONTRACTOR = PersonClass("contractor", Location("organization.yaml", 5))


@pytest.mark.parametrize(
    "given",
    [
        (person("carl", "contractor"), person("cora", ends=True)),
        (person("carl", previously=("karl", "charles")), person("cora", previously=("corinna",))),
        (person("protected", "contractor", previously=("glass",)), grant("carl"), person("carl")),
        (binding(), person("eng", ends=True)),
    ],
    ids=[
        "a class and an end",
        "earlier names that nobody has now",
        "a protected person without an end, and one with a grant",
        "a person called like a group",
    ],
)
def test_sound_people_have_no_problem(given: tuple[Entry, ...]) -> None:
    unused = PersonClass("intern", CONTRACTOR.at, only_where_named=True)
    assert told(*given, of=organization(protected=("protected",), classes=(CONTRACTOR, unused))) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            (person("carl", "contracter"), person("cora", "contractor", "x")),
            ["unknown class 'contracter', did you mean 'contractor'?", "unknown class 'x'"],
        ),
        (
            (person("carl", "Contractor"),),
            ["unknown class 'Contractor', did you mean 'contractor'?"],
        ),
        ((person("carl"), person("CARL", ends=True)), ["'CARL' has an entry already, in THERE"]),
        ((person(previously=("Carl",)),), ["'Carl' is the person's present name"]),
        (
            (person("carl", previously=("Cora",)), person("cora")),
            ["'Cora' is no earlier name: somebody is called so now, in THERE"],
        ),
        (
            (person("carl", previously=("x",)), person("cora", previously=("X",))),
            ["'X' is an earlier name of 'carl' already, in THERE"],
        ),
        (
            (person("Protected", ends=True),),
            ["'Protected' is protected in THERE, so no plan could carry this end out"],
        ),
    ],
    ids=[
        "unknown classes",
        "a class in another case",
        "one person twice",
        "the present name",
        "the name of another",
        "an earlier name of two",
        "an end of a protected person",
    ],
)
def test_people_who_do_not_fit_together_are_told(given: tuple[Entry, ...], expected: list[str]) -> None:
    assert told(*given, of=organization(protected=("protected",), classes=(CONTRACTOR,))) == expected


def test_a_binding_of_an_unknown_class_is_told_where_the_class_is_named() -> None:
    given = replace(binding(), classes=("contractor", "temp"), classes_at=(here(), here()))
    assert told(given, of=organization(classes=(CONTRACTOR,))) == ["unknown class 'temp'"]


def test_a_class_by_a_group_that_stands_for_a_role_is_told() -> None:
    one = replace(CONTRACTOR, groups=(GroupRef("eng"), GroupRef("Org-Admin")))
    of = organization(roles=RoleStorage(StoredAs.GROUPS), classes=(one,))
    assert told(of=of) == ["the group 'Org-Admin' stands for the role admin in the organization"]
    assert told(of=organization(classes=(one,))) == []


# Service accounts


def test_a_sound_service_account_has_no_problem() -> None:
    given = (machine(roles={ORG: "admin"}), machine("other", {ORG: "viewer", "web": "admin"}))
    assert told(*given, of=organization(service_admins=("BOT", "to-come"))) == []
    assert told(machine(roles={"web": "admin"})) == [], "admin of a project"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((machine(), machine("BOT")), ["the service account 'BOT' has an entry already, in THERE"]),
        ((machine(roles={ORG: "admin"}),), ["the service account 'bot' may not be organization admin"]),
        (
            (machine("protected"),),
            ["'protected' is protected in THERE, so no plan could give it these roles"],
        ),
        (
            (machine(), grant("Bot"), person("BOT", ends=True)),
            [f"'{user}' is no person but a service account, in THERE" for user in ("Bot", "BOT")],
        ),
        ((machine(owner="Bot"),), ["the owner 'Bot' is a service account, in THERE"]),
        (
            (machine(), machine("other", owner="BOT")),
            ["the owner 'BOT' is a service account, in THERE"],
        ),
        (
            (machine(roles={ORG: "contributor", "web": "viewer"}),),
            [
                "the role viewer in project 'web' adds nothing: "
                "'bot' is contributor of the whole organization (THERE)"
            ],
        ),
        ((machine(roles={"webb": "viewer"}),), ["unknown project 'webb', did you mean 'web'?"]),
    ],
    ids=[
        "twice",
        "organization admin",
        "protected",
        "also a person",
        "its own owner",
        "owned by another",
        "a project role below the organization role",
        "unknown project",
    ],
)
def test_service_accounts_that_do_not_fit_are_told(given: tuple[Entry, ...], expected: list[str]) -> None:
    assert told(*given, of=organization(protected=("Protected",))) == expected


def test_an_organization_role_of_a_service_account_is_told_where_the_policy_leaves_them_alone() -> None:
    assert told(machine(roles={ORG: "viewer"}), of=organization(managed=False)) == [
        "an organization role, but organization.yaml:2:15 says `organization_roles: unmanaged`"
    ]


def test_the_same_service_admin_in_two_spellings_is_told() -> None:
    assert told(of=organization(service_admins=("bot", "Bot"))) == [
        "the service admin 'Bot' is the same account as 'bot'"
    ]


# What a directory cannot do


@pytest.mark.parametrize("kind", DirectoryKind)
@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("kind", "scim okta entra file"),
        ("members_from", "scim"),
        ("nested", "entra"),
        ("oldest", "file"),
        ("entitled", "okta"),
        ("log", "okta entra"),
        ("attributes", "okta entra file"),
    ],
)
def test_a_setting_is_told_where_the_kind_of_directory_has_none_like_it(
    kind: DirectoryKind, key: str, kinds: str
) -> None:
    of = organization(directory=kind, written=(("directory", key),))
    assert told(of=of) == ([] if kind in kinds.split() else [f"a directory of kind {kind} has no `{key}:`"])


def test_a_lifecycle_needs_a_directory_that_knows_people() -> None:
    written = (("lifecycle",),)
    assert told(of=organization(written=written)) == [
        "a directory of kind scim cannot tell who joins and who leaves"
    ]
    assert told(of=organization(directory=DirectoryKind.FILE, written=written)) == []


def test_nobody_can_be_deleted_whom_no_run_deactivates() -> None:
    message = "nobody is deleted, for only who was deactivated is, and leavers are only reported"
    assert told(of=organization(lifecycle=Lifecycle(delete_after=90))) == [message]
    assert told(of=organization(lifecycle=Lifecycle(deactivates=True, delete_after=90))) == []


def test_a_directory_of_kind_scim_tells_the_user_type_and_no_other_attribute() -> None:
    one = replace(CONTRACTOR, attributes={"userType": ("x",), "usertype": ("x",)}, end_attribute="userType")
    assert sorted(told(of=organization(classes=(one,)))) == [
        "a directory of kind scim cannot tell the attribute 'usertype', did you mean 'userType'?",
        "a directory of kind scim tells no end of anybody's time",
    ]
    assert told(of=organization(classes=(one,), directory=DirectoryKind.OKTA)) == []


def test_problems_are_sorted_by_place() -> None:
    policy = Policy(organization(), (binding(roles={"x": "admin"}),), (grant(roles={"y": "admin"}),))
    found = rules.check(policy)
    assert found == sorted(found)
