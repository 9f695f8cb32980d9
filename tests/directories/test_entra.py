"""Entra's directory: which groups a policy means, who is in them, who left, and what the log tells."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from directories.asking import AT, names, refs
from directories.entra_world import company, directory, organization, registered
from scim.fake_server import Time
from standins.graph import (
    CLIENT_SECRET,
    GROUPS,
    HIDDEN,
    LEAVES,
    LIFETIME,
    NOW,
    PROVISIONER,
    RIGHTS,
    Fault,
    event,
    group,
    guest,
    id_of,
    person,
    refusal,
)

from reconciler.errors import ReadError
from reconciler.model import DirectoryGroup, Member, Membership
from reconciler.policy.document import AttributeNames, GroupRef, PersonClass
from reconciler.ports import ProvisioningFailure
from reconciler.settings.entra import Certificate
from reconciler.settings.token import Token

PLATFORM, WEB, EMPTY = (id_of(f"group:{name}") for name in ("platform", "eng-web", "empty"))


def member(name: str, **changes: Any) -> Member:
    values = {
        "external_id": id_of(name),
        "user_name": f"{name}@acme.example",
        "active": True,
        "status": "enabled",
        "display_name": name.capitalize(),
        "email": f"{name}@acme.example",
    }
    return Member(**{**values, **changes})


def groups(membership: Membership) -> dict[str, list[str]]:
    return {group.id: names(group.members) for group in membership.groups}


# -- groups --------------------------------------------------------------------------------------


def test_groups_are_read_with_everybody_in_them() -> None:
    assert directory(company()).read(refs("platform", "empty")) == Membership(
        (
            DirectoryGroup(EMPTY, "empty", frozenset()),
            DirectoryGroup(
                PLATFORM,
                "platform",
                frozenset(
                    {
                        member("ada", display_name="Ada L."),
                        member("bob"),
                        member("cleo", active=False, status="disabled"),
                    }
                ),
            ),
        ),
        frozenset({"empty", "platform"}),
    )


def test_it_only_ever_reads() -> None:
    world = company()
    directory(world).read(refs("platform"), everybody=True)
    assert {request.method for request in world.requests if "/v1.0/" in str(request.url)} == {"GET"}


def test_what_is_asked_of_the_index_says_so_on_every_page() -> None:
    world = company()
    directory(world).read(refs("platform"), everybody=True)
    pages = [one for one in world.requests if one.url.path.endswith(("/microsoft.graph.user", "/users"))]
    assert len(pages) == 5
    assert {one.headers["ConsistencyLevel"] for one in pages} == {"eventual"}


def test_the_token_goes_to_graph_and_the_secret_to_the_authority() -> None:
    world = company()
    directory(world).read(refs("platform"))
    [token] = world.tokens
    for request in world.requests:
        shown = f"{request.url}{request.headers.raw!r}{request.content!r}"
        assert (token in shown) == (request.url.host == "graph.microsoft.com")
        assert (CLIENT_SECRET.replace("~", "%7E") in shown or CLIENT_SECRET in shown) == (
            request.url.host == "login.microsoftonline.com"
        )


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        (GroupRef("platform"), [PLATFORM]),
        (GroupRef("PLATFORM"), [PLATFORM]),
        (GroupRef("ops", previously=("eng-ops", "platform")), [PLATFORM]),
        (GroupRef("eng-web", previously=("platform",)), [WEB]),
        (GroupRef("whatever", id=PLATFORM), [PLATFORM]),
        (GroupRef("whatever", id=PLATFORM.upper()), [PLATFORM]),
        (GroupRef("platform", id=id_of("none")), []),
        (GroupRef("platform", id="00g1"), []),
        (GroupRef("platform", id="../users"), []),
        (GroupRef("no' or displayName eq 'platform"), []),
    ],
)
def test_a_group_is_meant_by_id_else_by_name_else_by_an_earlier_name(ref: GroupRef, found: list[str]) -> None:
    assert list(groups(directory(company()).read({ref}))) == found


@pytest.mark.parametrize("name", ["o'neill & co", "50% + more", "a/b?c#d", "Ärzte", "'", "''"])
def test_a_name_is_looked_up_whatever_is_in_it(name: str) -> None:
    world = company(groups=[group(name, "ada"), group("other", "bob")])
    assert groups(directory(world).read(refs(name))) == {id_of(f"group:{name}"): ["ada"]}


def test_two_groups_of_one_name_are_both_told() -> None:
    one, two = id_of("one"), id_of("two")
    world = company(groups=[group("platform", "ada", id=one), group("Platform", "bob", id=two)])
    assert groups(directory(world).read(refs("platform"))) == {one: ["ada"], two: ["bob"]}


def test_a_filter_that_is_ignored_finds_nothing_else() -> None:
    world = company(filters=False)
    assert groups(directory(world).read(refs("platform"))) == {PLATFORM: ["ada", "bob", "cleo"]}
    assert [path for path in world.asked if "eng-web" in path] == []


def test_a_group_that_the_index_does_not_know_yet_is_found_all_the_same() -> None:
    world = company(indexed={"platform": ""})
    assert groups(directory(world).read(refs("platform"))) == {PLATFORM: ["ada", "bob", "cleo"]}


def test_a_group_that_the_index_still_has_under_an_earlier_name_is_not_the_one_of_that_name() -> None:
    world = company(indexed={"platform": "old-platform"})
    assert groups(directory(world).read(refs("old-platform"))) == {}


def test_a_group_that_is_not_there_is_absent_and_names_alike_are_told() -> None:
    membership = directory(company()).read(refs("plattform", "eng-web"))
    assert (groups(membership), membership.names) == (
        {WEB: ["eve"]},
        frozenset({"eng-web", "platform"}),
    )


NESTED = [
    group("all", "ada", "group:inner"),
    group("inner", "bob", "group:innermost"),
    group("innermost", "eve", "ada", "group:all"),
]


@pytest.mark.parametrize(("nested", "found"), [(False, ["ada"]), (True, ["ada", "bob", "eve"])])
def test_groups_within_a_group_count_where_the_policy_says_so(nested: bool, found: list[str]) -> None:
    world = company(groups=NESTED)
    membership = directory(world, organization(nested=nested)).read(refs("all"))
    assert groups(membership) == {id_of("group:all"): found}


@pytest.mark.parametrize("page", [1, 2, 3, 999])
@pytest.mark.parametrize("empty_pages", [0, 3])
def test_the_size_of_pages_changes_nothing_nor_do_empty_ones(page: int, empty_pages: int) -> None:
    world = company(page=page, empty_pages=empty_pages)
    assert directory(world).read(refs("platform", "eng-web"), everybody=True) == directory(
        company(page=77)
    ).read(refs("platform", "eng-web"), everybody=True)


def test_a_group_that_hides_its_members_is_unreadable_and_not_empty() -> None:
    world = company(groups=[group("secret", "ada", visibility="HiddenMembership")])
    assert directory(world).read(refs("secret")).groups == (
        DirectoryGroup(
            id_of("group:secret"),
            "secret",
            None,
            "it hides its members; the app needs the application permission Member.Read.Hidden",
        ),
    )
    world.rights = RIGHTS | {HIDDEN}
    assert groups(directory(world).read(refs("secret"))) == {id_of("group:secret"): ["ada"]}


# -- completeness --------------------------------------------------------------------------------


def test_a_count_that_lags_behind_is_waited_for() -> None:
    world, time = company(lag=-1, lags=2), Time()
    assert groups(directory(world, time=time).read(refs("platform"))) == {PLATFORM: ["ada", "bob", "cleo"]}
    assert time.slept == [5.0, 5.0]


def test_a_page_that_repeats_somebody_is_read_again() -> None:
    def twice(document: dict[str, Any]) -> None:
        document["value"].append(document["value"][0])

    world, time = company(faults=[Fault("/members/", change=twice, times=1)]), Time()
    assert groups(directory(world, time=time).read(refs("platform"))) == {PLATFORM: ["ada", "bob", "cleo"]}
    assert time.slept == [5.0]


def test_nobody_at_all_is_no_answer() -> None:
    world = company(people=[], groups=[group("empty")])
    with pytest.raises(ReadError) as caught:
        directory(world).read(refs("empty"), everybody=True)
    assert str(caught.value) == (
        "could not read the people of the tenant from https://graph.microsoft.com/v1.0: there are none"
    )


# -- people --------------------------------------------------------------------------------------


def test_everybody_is_told_where_that_is_asked_for() -> None:
    membership = directory(company()).read(refs("eng-web"), everybody=True)
    assert membership.people == frozenset(
        {
            member("ada", display_name="Ada L."),
            member("bob"),
            member("cleo", active=False, status="disabled"),
            member("dan", active=False, status="disabled"),
            member("eve"),
            member("finn", email=None),
        }
    )


def test_who_was_deleted_is_listed_nowhere() -> None:
    world = company()
    world.leave("eve")
    membership = directory(world).read(refs("eng-web"), everybody=True)
    assert (groups(membership), "eve" in names(membership.people)) == ({WEB: []}, False)


def test_who_changes_between_two_listings_is_one_person_as_the_later_has_them() -> None:
    world = company(page=999)

    def leaves(_: dict[str, Any]) -> None:
        world.someone("eve")["accountEnabled"] = False

    world.faults = [Fault("/v1.0/users", change=leaves)]
    membership = directory(world).read(refs("eng-web"), everybody=True)
    gone = member("eve", active=False, status="disabled")
    assert membership.groups[0].members == frozenset({gone})
    assert [one for one in membership.people or () if str(one) == "eve@acme.example"] == [gone]


MAPPED = AttributeNames("mail", "mailNickname", "userPrincipalName", "onPremisesSamAccountName")


def test_attributes_are_those_that_the_policy_names() -> None:
    world = company(
        people=[guest("gil", onPremisesSamAccountName="GIL"), person("ada", mail=None)],
        groups=[group("all", "gil", "ada")],
    )
    membership = directory(world, organization(attributes=MAPPED)).read(refs("all"))
    assert set(membership.groups[0].members or ()) == {
        member(
            "gil",
            user_name="gil@other.example",
            display_name="gil",
            email="gil_other.example#EXT#@acme.onmicrosoft.com",
            external_id="GIL",
        ),
        member("ada", user_name=None, display_name="ada", external_id=None),
    }


def asked(*attributes: str, end: str = "") -> dict[str, PersonClass]:
    return {
        "contractor": PersonClass(
            "contractor", AT, attributes=dict.fromkeys(attributes, ("x",)), end_attribute=end
        )
    }


def test_what_classes_ask_for_is_told_as_text() -> None:
    world = company(
        people=[
            person(
                "finn",
                employeeType="Contractor",
                onPremisesSyncEnabled=True,
                otherMails=["a@x.example", "b@x.example"],
                onPremisesExtensionAttributes={"extensionAttribute1": "vendor", "extensionAttribute2": None},
            ),
        ],
        groups=[group("all", "finn")],
    )
    wanted = asked(
        "userType",
        "employeeType",
        "department",
        "onPremisesSyncEnabled",
        "otherMails",
        "onPremisesExtensionAttributes.extensionAttribute1",
        "onPremisesExtensionAttributes.extensionAttribute2",
    )
    [found] = directory(world, organization(wanted)).read(refs("all")).groups[0].members or frozenset()
    assert found.attributes == (
        ("employeeType", "Contractor"),
        ("onPremisesExtensionAttributes.extensionAttribute1", "vendor"),
        ("onPremisesSyncEnabled", "true"),
        ("otherMails", "a@x.example"),
        ("otherMails", "b@x.example"),
        ("userType", "Member"),
    )


@pytest.mark.parametrize("name", ["a-b", "a..b", ".a", "a.", "1a", "a,b", "a&$filter=b", ""])
def test_what_would_say_something_else_in_a_query_is_asked_of_nobody(name: str) -> None:
    world = company()
    wanted = asked(*([name] if name else ["a b"]))
    with pytest.raises(ReadError, match="could not ask Graph for the attribute '"):
        directory(world, organization(wanted)).read(refs("platform"))
    assert [path for path in world.asked if "members" in path] == []


def test_an_attribute_that_graph_does_not_have_is_told_in_its_words() -> None:
    with pytest.raises(ReadError, match="Could not find a property named 'employeetype'"):
        directory(company(), organization(asked("employeetype"))).read(refs("platform"))


def test_an_attribute_that_was_asked_for_and_did_not_come_is_not_taken_for_nothing() -> None:
    def forget(document: dict[str, Any]) -> None:
        del document["value"][0]["employeeType"]

    world = company(faults=[Fault("/members/", change=forget)])
    with pytest.raises(ReadError) as caught:
        directory(world, organization(asked("employeeType"))).read(refs("platform"))
    assert (caught.value.message, caught.value.hint) == (
        "the server answered user 'ada@acme.example' without employeeType, which was asked for",
        "is the attribute spelled as Microsoft Graph spells it, with its capitals?",
    )


@pytest.mark.parametrize(
    ("left", "since"),
    [
        ("2026-11-18T08:00:00Z", datetime(2026, 11, 18, 8, tzinfo=UTC)),
        ("2026-11-18T08:00:00.1234567Z", datetime(2026, 11, 18, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-20T12:00:00Z", NOW),
        ("2026-12-24T00:00:00Z", None),
        (None, None),
    ],
)
def test_since_when_somebody_is_gone_is_told_where_a_class_asks_for_it(
    left: str | None, since: datetime | None
) -> None:
    gone = person("cleo", accountEnabled=False, employeeLeaveDateTime=left)
    world = company(people=[gone], groups=[group("all", "cleo")])
    ends = organization(asked(end=LEAVES_AT))
    [found] = directory(world, ends).read(refs("all")).groups[0].members or frozenset()
    assert (found.active, found.since) == (False, since)
    assert found.attributes == (((LEAVES_AT, left),) if left else ())


LEAVES_AT = "employeeLeaveDateTime"


def test_the_time_of_leaving_says_nothing_of_who_is_there() -> None:
    back = person("cleo", employeeLeaveDateTime="2026-01-18T08:00:00Z")
    world = company(people=[back], groups=[group("all", "cleo")])
    [found] = (
        directory(world, organization(asked(end=LEAVES_AT))).read(refs("all")).groups[0].members
        or frozenset()
    )
    assert (found.active, found.since) == (True, None)


def test_the_right_to_see_when_people_leave_is_needed_only_where_it_is_asked_for() -> None:
    world = company(rights=RIGHTS - {LEAVES})
    assert groups(directory(world).read(refs("eng-web"))) == {WEB: ["eve"]}


# -- signing in ----------------------------------------------------------------------------------


def test_one_token_is_enough_for_a_reading() -> None:
    world = company()
    directory(world).read(refs("platform"), everybody=True)
    assert len(world.tokens) == 1


def test_a_token_is_renewed_before_it_ends() -> None:
    world, time = company(), Time()
    world.now = lambda: NOW + timedelta(seconds=time.passed)
    entra = directory(world, time=time)
    entra.read(refs("platform"))
    time.passed = LIFETIME - 300 - 1
    entra.read(refs("platform"))
    assert len(world.tokens) == 1
    time.passed = LIFETIME - 300
    entra.read(refs("platform"))
    assert len(world.tokens) == 2


def test_a_token_that_was_voided_is_replaced_once() -> None:
    world = company()
    entra = directory(world)
    entra.read(refs("platform"))
    world.tokens.clear()
    assert groups(entra.read(refs("platform"))) == {PLATFORM: ["ada", "bob", "cleo"]}


def test_an_app_signs_in_with_a_certificate() -> None:
    world = company()
    pem = registered(world)
    certificate = Certificate(Token(pem), "AZURE_CLIENT_CERTIFICATE_PATH")
    assert groups(directory(world, credential=certificate).read(refs("eng-web"))) == {WEB: ["eve"]}
    assert world.requests[0].url.path.endswith("/oauth2/v2.0/token")
    assert pem.splitlines()[1] not in world.requests[0].content.decode()


def test_an_assertion_is_used_once_also_where_the_authority_stumbles() -> None:
    """The stand-in takes no assertion twice."""
    world = company()
    certificate = Certificate(Token(registered(world)), "AZURE_CLIENT_CERTIFICATE_PATH")
    world.faults = [Fault("/oauth2/", status=500, times=2)]
    assert groups(directory(world, credential=certificate).read(refs("eng-web"))) == {WEB: ["eve"]}


@pytest.mark.parametrize(
    ("authority", "graph"),
    [
        ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
        ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_other_clouds_are_asked_at_their_own_hosts(authority: str, graph: str) -> None:
    world = company()
    directory(world, authority=authority, graph=graph).read(refs("platform"))
    assert {f"https://{one.url.host}" for one in world.requests} == {authority, graph}
    assert f"scope={graph.replace(':', '%3A').replace('/', '%2F')}%2F.default" in (
        world.requests[0].content.decode()
    )


# -- throttling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_graph_is_asked_again_after_the_time_that_it_names(status: int) -> None:
    busy = refusal("/members/", status, "TooManyRequests", "Too many requests", times=2)
    world, time = company(faults=[replace(busy, headers={**busy.headers, "Retry-After": "17"})]), Time()
    assert groups(directory(world, time=time).read(refs("platform"))) == {PLATFORM: ["ada", "bob", "cleo"]}
    assert time.slept == [17.0, 17.0]


def test_graph_is_not_waited_for_longer_than_patience_lasts() -> None:
    busy = refusal("/members/", 429, "TooManyRequests", "Too many requests")
    world, time = company(faults=[replace(busy, headers={**busy.headers, "Retry-After": "300"})]), Time()
    with pytest.raises(ReadError) as caught:
        directory(world, time=time).read(refs("platform"))
    assert (caught.value.message, caught.value.hint, time.slept) == (
        "could not read the members of the group 'platform' from https://graph.microsoft.com/v1.0: "
        "the server "
        "answered 429 Too Many Requests (TooManyRequests): 'Too many requests'; request-id "
        "0f1e2d3c-0000-4000-8000-000000000000; waiting another 300 s would exceed the 120 s a "
        "request may take",
        "Graph has too much to do; run it again later",
        [],
    )


# -- the log -------------------------------------------------------------------------------------


def failing(*log: dict[str, Any], application: str = "", **changes: Any) -> tuple[ProvisioningFailure, ...]:
    world = company(log=list(log), **changes)
    return directory(world, organization(log=True, application=application)).failures()


def test_the_log_is_asked_only_where_the_policy_says_so() -> None:
    world = company(log=[event("eve", "failure", "2026-11-19T08:00:00Z")])
    assert (directory(world).failures(), world.requests) == ((), [])


def test_a_failure_stands_since_the_first_after_the_last_success() -> None:
    assert failing(
        event("eve", "failure", "2026-11-10T08:00:00Z", "Earlier."),
        event("eve", "success", "2026-11-12T08:00:00Z"),
        event("eve", "failure", "2026-11-14T08:00:00Z", "First."),
        event("eve", "failure", "2026-11-16T08:00:00Z", "The server\nis full."),
        event("bob", "failure", "2026-11-15T08:00:00Z"),
        event("ada", "failure", "2026-11-15T08:00:00Z", "Was."),
        event("ada", "success", "2026-11-15T09:00:00Z"),
        event("finn", "skipped", "2026-11-15T09:00:00Z"),
    ) == (
        ProvisioningFailure(
            Member(external_id=id_of("eve"), user_name="eve@acme.example", display_name="Eve"),
            datetime(2026, 11, 14, 8, tzinfo=UTC),
            "The server is full.",
        ),
        ProvisioningFailure(
            Member(external_id=id_of("bob"), user_name="bob@acme.example", display_name="Bob"),
            datetime(2026, 11, 15, 8, tzinfo=UTC),
            "no reason given",
        ),
    )


def test_who_was_read_before_is_told_as_they_were_read() -> None:
    world = company(log=[event("eve", "failure", "2026-11-19T08:00:00Z", "Full.")])
    entra = directory(world, organization(log=True, attributes=AttributeNames(external_id="mailNickname")))
    entra.read(refs("eng-web"))
    [found] = entra.failures()
    assert found.person == member("eve", external_id="eve")


def test_a_group_that_could_not_be_provisioned_is_told_without_a_person() -> None:
    source = {"id": WEB, "displayName": "eng-web", "identityType": "Group", "details": {}}
    failed = event("eng-web", "failure", "2026-11-19T08:00:00Z", "No such group.", sourceIdentity=source)
    assert failing(failed) == (
        ProvisioningFailure(None, datetime(2026, 11, 19, 8, tzinfo=UTC), "No such group.", "eng-web"),
    )


@pytest.mark.parametrize(
    ("application", "told"),
    [("", ["bob"]), ("Other", ["eve"]), ("other", ["eve"]), (PROVISIONER, ["bob"]), ("CircleCI", ["bob"])],
)
def test_only_the_log_of_the_application_counts(application: str, told: list[str]) -> None:
    other = {"id": id_of("other"), "displayName": "Other"}
    found = failing(
        event("bob", "failure", "2026-11-19T08:00:00Z"),
        event("bob", "success", "2026-11-19T09:00:00Z", servicePrincipal=other),
        event("eve", "failure", "2026-11-19T08:00:00Z", servicePrincipal=other),
        application=application,
    )
    assert [str(one.person).partition("@")[0] for one in found] == told


def test_a_log_that_must_not_be_read_is_told_with_the_right_that_is_missing() -> None:
    with pytest.raises(ReadError) as caught:
        failing(rights=frozenset({GROUPS}))
    assert (caught.value.message, caught.value.hint) == (
        "could not read the provisioning log from https://graph.microsoft.com/v1.0: the server answered "
        "403 Forbidden (Authorization_RequestDenied): 'Insufficient privileges to complete the operation.'; "
        "request-id 0f1e2d3c-0000-4000-8000-000000000002",
        "the app needs the application permission AuditLog.Read.All of Microsoft Graph, with an "
        "administrator's "
        "consent",
    )


def test_the_stand_in_is_read_over_all_pages_of_the_log() -> None:
    log = [event(f"p{number}", "failure", f"2026-11-1{number}T08:00:00Z") for number in range(7)]
    assert len(failing(*log)) == 7


def test_a_log_without_an_end_is_not_read_for_ever() -> None:
    world = company(log=[event("eve", "failure", "2026-11-19T08:00:00Z")])

    def endless(document: dict[str, Any]) -> None:
        number = len(world.requests)
        document["@odata.nextLink"] = f"/v1.0/auditLogs/provisioning?$top=999&$skiptoken=0.{number}"
        document["value"][0]["id"] = str(number)

    world.faults = [Fault("/auditLogs/", change=endless)]
    with pytest.raises(ReadError, match="it has no end: 200 pages were read"):
        directory(world, organization(log=True)).failures()
