"""Okta's directory: which groups a policy means, who is in them, who left, and what the log tells."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from directories.asking import AT, names, refs
from directories.okta_world import company, directory, organization
from scim.fake_server import Time
from standins import okta
from standins.okta import KEY_ID, NOW, Event, Group, Okta, Person

from reconciler.errors import ExitCode, ReadError, SettingsError
from reconciler.model import DirectoryGroup, Member, Membership
from reconciler.policy.document import AttributeNames, GroupRef, PersonClass
from reconciler.ports import ProvisioningFailure

FIRST = datetime(2026, 1, 5, 8, tzinfo=UTC)


def member(name: str, **changes: Any) -> Member:
    values = {
        "external_id": f"00u-{name}",
        "user_name": f"{name}@acme.example",
        "active": True,
        "status": "ACTIVE",
        "since": FIRST,
        "display_name": f"{name.capitalize()} Example",
        "email": f"{name}@acme.example",
    }
    return Member(**{**values, **changes})


def groups(membership: Membership) -> dict[str, list[str]]:
    return {group.id: names(group.members) for group in membership.groups}


# -- groups --------------------------------------------------------------------------------------


def test_groups_are_read_with_everybody_in_them() -> None:
    world = company()
    assert directory(world).read(refs("platform", "empty")) == Membership(
        (
            DirectoryGroup("00g-empty", "empty", frozenset()),
            DirectoryGroup(
                "00g-platform",
                "platform",
                frozenset(
                    {
                        member("ada", display_name="Ada L."),
                        member("bob"),
                        member("cleo", active=False, status="SUSPENDED"),
                    }
                ),
            ),
        ),
        frozenset({"empty", "platform"}),
    )


def test_it_only_ever_reads() -> None:
    world = company()
    directory(world).read(refs("platform"), everybody=True)
    assert {request.method for request in world.requests} == {"GET"}


@pytest.mark.parametrize("kind", ["OKTA_GROUP", "APP_GROUP", "BUILT_IN"])
def test_a_group_of_any_type_is_a_group(kind: str) -> None:
    world = company(groups=[Group("platform", ["ada"], kind)])
    assert groups(directory(world).read(refs("platform"))) == {"00g-platform": ["ada"]}


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        (GroupRef("platform"), ["00g-platform"]),
        (GroupRef("PLATFORM"), ["00g-platform"]),
        (GroupRef("ops", previously=("eng-ops", "platform")), ["00g-platform"]),
        (GroupRef("eng-web", previously=("platform",)), ["00g-eng-web"]),
        (GroupRef("whatever", id="00g-platform"), ["00g-platform"]),
        (GroupRef("platform", id="00g-none"), []),
        (GroupRef('no "such" \\ group'), []),
    ],
)
def test_a_group_is_meant_by_id_else_by_name_else_by_an_earlier_name(ref: GroupRef, found: list[str]) -> None:
    assert list(groups(directory(company()).read({ref}))) == found


def test_two_groups_of_one_name_are_both_told() -> None:
    world = company(groups=[Group("platform", ["ada"]), Group("Platform", ["bob"], "APP_GROUP", "00g-twin")])
    assert groups(directory(world).read(refs("platform"))) == {"00g-platform": ["ada"], "00g-twin": ["bob"]}


def test_a_group_that_the_index_does_not_know_yet_is_found_all_the_same() -> None:
    world = company(unindexed={"00g-platform"})
    assert groups(directory(world).read(refs("platform"))) == {"00g-platform": ["ada", "bob", "cleo"]}


def test_a_group_that_the_index_still_has_under_an_earlier_name_is_not_the_one_of_that_name() -> None:
    world = company(indexed={"00g-platform": "old-platform"})
    assert groups(directory(world).read(refs("old-platform"))) == {}


def test_a_group_that_is_not_there_is_absent_and_names_alike_are_told() -> None:
    membership = directory(company()).read(refs("plattform", "eng-web"))
    assert (groups(membership), membership.names) == (
        {"00g-eng-web": ["eve"]},
        frozenset({"eng-web", "platform"}),
    )


@pytest.mark.parametrize("page", [1, 2, 3, 200])
def test_the_size_of_pages_changes_nothing(page: int) -> None:
    assert directory(company(page=page)).read(refs("platform", "eng-web"), everybody=True) == directory(
        company(page=77)
    ).read(refs("platform", "eng-web"), everybody=True)


def test_a_group_that_changes_while_it_is_read_is_read_again() -> None:
    world = company(faults=[okta.short("/groups/00g-platform/users")])
    time = Time()
    assert groups(directory(world, time=time).read(refs("platform"))) == {
        "00g-platform": ["ada", "bob", "cleo"]
    }
    assert time.slept == [1.0]


def test_a_group_that_does_not_come_out_even_is_not_believed() -> None:
    world = company(faults=[okta.miscounted().always()])
    with pytest.raises(ReadError) as caught:
        directory(world).read(refs("platform"))
    assert caught.value.message == (
        "could not read the members of the group 'platform' of https://acme.okta.test: Okta counted 4 before "
        "and 4 after, and listed 3; it did not come out even in 3 readings"
    )


def test_a_group_that_vanishes_while_it_is_read_is_not_read_as_empty() -> None:
    world = company()

    def vanish(response: httpx.Response) -> httpx.Response:
        world.groups = []
        return response

    world.faults = [okta.Fault(vanish, "/groups/00g-platform/users", after=1)]
    with pytest.raises(ReadError, match="it was deleted or renamed meanwhile"):
        directory(world).read(refs("platform"))


# -- people --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("ACTIVE", True),
        ("PASSWORD_EXPIRED", True),
        ("RECOVERY", True),
        ("LOCKED_OUT", True),
        ("PROVISIONED", True),
        ("STAGED", False),
        ("SUSPENDED", False),
        ("DEPROVISIONED", False),
        ("ACTIVATING", None),
        ("active", None),
    ],
)
def test_a_status_says_who_may_have_access_and_an_unknown_one_says_nothing(
    status: str, active: bool | None
) -> None:
    world = company(people=[Person("ada", status)], groups=[Group("platform", ["ada"])])
    [group] = directory(world).read(refs("platform")).groups
    assert group.members == frozenset({member("ada", active=active, status=status)})


def test_the_policy_may_say_which_statuses_may_have_access() -> None:
    world = company(
        people=[Person("ada", "STAGED"), Person("bob"), Person("eve", "LOCKED_OUT")],
        groups=[Group("platform", ["ada", "bob", "eve"])],
    )
    [group] = directory(world, organization(entitled=("ACTIVE", "STAGED"))).read(refs("platform")).groups
    assert {one.status: one.active for one in group.members or ()} == {
        "STAGED": True,
        "ACTIVE": True,
        "LOCKED_OUT": False,
    }


def test_everybody_is_listed_with_those_who_left_and_since_when() -> None:
    world = company()
    left = NOW - timedelta(days=3)
    world.become("dan", "DEPROVISIONED", left)
    assert directory(world).read(refs(), everybody=True).people == frozenset(
        {
            member("ada", display_name="Ada L."),
            member("bob"),
            member("cleo", active=False, status="SUSPENDED"),
            member("dan", active=False, status="DEPROVISIONED", since=left),
            member("eve"),
            member("finn", active=False, status="STAGED"),
        }
    )


def test_nobody_is_told_of_unless_everybody_was_asked_for() -> None:
    assert directory(company()).read(refs("platform")).people is None


@pytest.mark.parametrize(
    ("name", "status", "after"),
    [("dan", "ACTIVE", "/v1/users?limit"), ("bob", "SUSPENDED", "DEPROVISIONED")],
    ids=["in neither listing", "in one as somebody else"],
)
def test_who_changes_between_the_listings_is_told_as_they_are_now(name: str, status: str, after: str) -> None:
    world = company(page=200)

    def change(response: httpx.Response) -> httpx.Response:
        world.become(name, status, NOW)
        return response

    world.faults = [okta.Fault(change, after)]
    people = directory(world).read(refs(), everybody=True).people or frozenset()
    assert [one.status for one in people if str(one).startswith(name)] == [status]
    assert len(people) == 6


def test_who_changes_after_a_group_was_read_is_the_same_in_both_places() -> None:
    world = company()

    def leave(response: httpx.Response) -> httpx.Response:
        world.become("bob", "SUSPENDED", NOW)
        return response

    world.faults = [okta.Fault(leave, "BUILT_IN")]
    membership = directory(world).read(refs("platform"), everybody=True)
    [group] = membership.groups
    assert [one.status for one in group.members or () if str(one).startswith("bob")] == ["SUSPENDED"]
    assert (group.members or frozenset()) <= (membership.people or frozenset())


def test_a_token_that_does_not_see_everybody_tells_of_nobody() -> None:
    with pytest.raises(ReadError) as caught:
        directory(company(shows_everyone=False)).read(refs(), everybody=True)
    assert (caught.value.message, caught.value.hint) == (
        "could not list the people of https://acme.okta.test: the token does not see the group Everyone, "
        "so it may not see everybody either",
        "it takes an administrator role for all people and groups, such as Read-Only Administrator",
    )


def test_fewer_people_than_the_group_everyone_has_are_not_everybody() -> None:
    world = company(faults=[okta.short("/users?").always()])
    with pytest.raises(ReadError, match="the group Everyone has 6 members, and the listings hold"):
        directory(world).read(refs(), everybody=True)


def test_an_okta_without_people_is_not_believed() -> None:
    with pytest.raises(ReadError, match=r"could not list the people .* there are none"):
        directory(company(people=[], groups=[])).read(refs(), everybody=True)


# -- attributes ----------------------------------------------------------------------------------


def test_the_policy_may_say_which_attribute_is_which() -> None:
    ada = Person(
        "ada", profile={"nickName": "countess", "secondEmail": "a@home.example", "employeeNumber": "7"}
    )
    world = company(people=[ada], groups=[Group("platform", ["ada"])])
    mapping = AttributeNames("nickName", "login", "secondEmail", "employeeNumber")
    [group] = directory(world, organization(attributes=mapping)).read(refs("platform")).groups
    expected = {"user_name": "countess", "display_name": "ada@acme.example", "email": "a@home.example"}
    assert group.members == frozenset({member("ada", external_id="7", **expected)})


def test_attributes_that_classes_ask_for_are_read_whatever_they_hold() -> None:
    profile = {"userType": "Contractor", "ends": "2026-12-31", "tags": ["b", "a"], "remote": True, "level": 3}
    world = company(people=[Person("ada", profile=profile)], groups=[Group("platform", ["ada"])])
    asked = {
        "userType": ("Contractor",),
        "tags": ("a",),
        "remote": ("true",),
        "level": ("3",),
        "none": ("x",),
    }
    classes = {"contractors": PersonClass("contractors", AT, attributes=asked, end_attribute="ends")}
    [group] = directory(world, organization(classes)).read(refs("platform")).groups
    [ada] = group.members or frozenset()
    assert ada.attributes == (
        ("ends", "2026-12-31"),
        ("level", "3"),
        ("remote", "true"),
        ("tags", "a"),
        ("tags", "b"),
        ("userType", "Contractor"),
    )


@pytest.mark.parametrize(
    ("profile", "shown"),
    [
        ({"displayName": "Ada L."}, "Ada L."),
        ({"displayName": None}, "Ada Example"),
        ({"displayName": "", "lastName": None}, "Ada"),
        ({"firstName": None, "lastName": None}, None),
    ],
)
def test_a_display_name_is_the_one_given_or_both_names(profile: dict[str, object], shown: str | None) -> None:
    world = company(people=[Person("ada", profile=profile)], groups=[Group("platform", ["ada"])])
    [group] = directory(world).read(refs("platform")).groups
    assert [one.display_name for one in group.members or ()] == [shown]


# -- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PEM", "JWK"])
def test_an_app_shows_who_it_is_by_its_key_and_reads_the_same(form: str) -> None:
    world = company(names_keys=form == "JWK")
    key = world.pem if form == "PEM" else json.dumps(world.jwk)
    read = directory(world, key=key).read(refs("platform", "eng-web"), everybody=True)
    assert read == directory(company()).read(refs("platform", "eng-web"), everybody=True)
    assert [line for line in world.asked if "oauth2" in line] == ["POST /oauth2/v1/token"]


def test_a_token_is_renewed_before_it_ends() -> None:
    world, time = company(), Time()
    there = directory(world, key=world.pem, time=time)
    for passed in (0, 3299, 3301):
        time.passed = passed
        there.read(refs("eng-web"))
    assert world.asked.count("POST /oauth2/v1/token") == 2


def test_a_token_that_was_voided_is_replaced_once() -> None:
    world = company()
    there = directory(world, key=world.pem)
    there.read(refs("eng-web"))
    world.revoke()
    assert groups(there.read(refs("eng-web"))) == {"00g-eng-web": ["eve"]}
    assert world.asked.count("POST /oauth2/v1/token") == 2


def test_only_the_scopes_that_are_needed_are_asked_for() -> None:
    world = company(scopes=("okta.groups.read", "okta.users.read"))
    directory(world, key=world.pem).read(refs("eng-web"))
    with pytest.raises(ReadError) as caught:
        directory(world, organization(log=True), key=world.pem).failures()
    assert (caught.value.message, caught.value.hint) == (
        "could not get an access token of https://acme.okta.test: the server answered 400 Bad Request "
        "(invalid_scope): 'One or more scopes are not configured for the app.'",
        "grant the app these scopes under Okta API Scopes, or name others in OKTA_CLIENT_SCOPES",
    )


def test_a_key_that_the_app_does_not_have_is_told() -> None:
    with pytest.raises(ReadError) as caught:
        directory(company(), key=Okta(owner="another").pem).read(refs("eng-web"))
    assert caught.value.exit_code is ExitCode.UNREADABLE
    assert caught.value.message == (
        "could not get an access token of https://acme.okta.test: the server answered 401 Unauthorized "
        "(invalid_client): 'The client_assertion is invalid: Signature verification failed'"
    )
    assert caught.value.hint == (
        "is the key registered with the app, is OKTA_CLIENT_CLIENTID its client id, OKTA_CLIENT_KID the "
        "key's id, and the clock right here?"
    )


def test_an_app_that_demands_proof_of_possession_is_told() -> None:
    world = company(wants_proof=True)
    with pytest.raises(ReadError) as caught:
        directory(world, key=world.pem).read(refs("eng-web"))
    assert caught.value.message.endswith(
        "(use_dpop_nonce): 'Authorization server requires nonce in DPoP proof.'; the app demands a proof of "
        "possession (DPoP), which this program does not give"
    )
    assert "Require Demonstrating Proof of Possession" in caught.value.hint


def test_a_token_request_that_failed_is_repeated_with_a_new_assertion() -> None:
    world = company()
    world.faults = [okta.status(500, path="oauth2"), okta.broken("oauth2")]
    assert groups(directory(world, key=world.pem).read(refs("eng-web"))) == {"00g-eng-web": ["eve"]}
    sent = [request.content for request in world.requests if request.method == "POST"]
    assert len(set(sent)) == len(sent) == 3


def test_a_key_that_is_none_is_a_usage_error_and_never_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        directory(company(), key="-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----")
    assert caught.value.message == "the key of OKTA_CLIENT_PRIVATEKEY is no private key in PEM"
    assert "c2VjcmV0" not in caught.value.message + caught.value.hint


def test_the_id_of_a_key_is_named_where_it_is_known() -> None:
    assert company().jwk["kid"] == KEY_ID
    with pytest.raises(ReadError, match="names a key that the app does not have"):
        directory(world := company(names_keys=True), key=world.pem).read(refs("eng-web"))


# -- limits --------------------------------------------------------------------------------------


def test_a_limit_is_waited_for_by_the_server_s_clock_whatever_ours_says() -> None:
    world, time = company(faults=[okta.limited(30, "/groups", skew=7200)]), Time()
    assert groups(directory(world, time=time).read(refs("eng-web"))) == {"00g-eng-web": ["eve"]}
    assert time.slept == [31.0]


def test_too_many_at_once_is_a_matter_of_a_moment() -> None:
    world, time = company(faults=[okta.concurrent("/groups")]), Time()
    assert groups(directory(world, time=time).read(refs("eng-web"))) == {"00g-eng-web": ["eve"]}
    assert time.slept == [0.5]


def test_a_limit_that_outlasts_our_patience_is_told() -> None:
    world, time = company(faults=[okta.limited(300, "/groups").always()]), Time()
    with pytest.raises(ReadError) as caught:
        directory(world, time=time).read(refs("eng-web"))
    assert (caught.value.message, caught.value.hint) == (
        "could not read https://acme.okta.test/api/v1/groups: the server answered 429 Too Many Requests "
        "(E0000047): 'API call exceeded rate limit due to too many requests.'; waiting another 301 s would "
        "exceed the 120 s a request may take",
        "Okta limits how much is asked of it; try again later, or raise the limit of the token",
    )
    assert time.slept == []


def test_where_nothing_is_left_of_a_window_the_next_one_is_waited_for() -> None:
    """Others of the organization are limited with us: better slow than refused."""

    def last(response: httpx.Response) -> httpx.Response:
        response.headers["X-Rate-Limit-Remaining"] = "0"
        return response

    world, time = company(faults=[okta.Fault(last, "/groups")]), Time()
    directory(world, time=time).read(refs("eng-web"))
    assert time.slept == [61.0]


# -- the log -------------------------------------------------------------------------------------

PUSH = "application.provision.user.push"


def failures(world: Okta, *events: Event, **settings: Any) -> tuple[ProvisioningFailure, ...]:
    world.events = list(events)
    return directory(world, organization(log=True, **settings)).failures()


def hours(number: int) -> datetime:
    return NOW - timedelta(hours=number)


def test_the_log_is_not_asked_unless_the_policy_says_so() -> None:
    world = company()
    world.events = [Event(PUSH, world.person("eve"))]
    assert directory(world).failures() == ()
    assert world.requests == []


def test_what_failed_is_told_since_the_first_failure_with_the_last_reason() -> None:
    world = company()
    eve = world.person("eve")
    assert failures(
        world,
        Event(PUSH, eve, hours(9)),
        Event(PUSH, eve, hours(8), "SUCCESS"),
        Event(PUSH, eve, hours(5), reason="first"),
        Event(PUSH, eve, hours(2), reason="Matching user not found\n"),
    ) == (
        ProvisioningFailure(Member(None, "00u-eve", "eve@acme.example"), hours(5), "Matching user not found"),
    )


def test_what_succeeded_since_is_no_failure_any_more() -> None:
    world = company()
    eve, bob = world.person("eve"), world.person("bob")
    told = failures(
        world,
        Event(PUSH, eve, hours(5)),
        Event("application.provision.user.push_profile", eve, hours(4), "SUCCESS"),
        Event(PUSH, bob, hours(3)),
        Event("application.user_membership.add", bob, hours(2), "SUCCESS"),
    )
    assert [str(one.person) for one in told] == ["bob@acme.example"]


def test_a_membership_that_failed_names_its_group() -> None:
    world = company()
    event = Event(
        "application.provision.group_membership.add", world.person("bob"), hours(1), reason="no user"
    )
    event.group = world.group("platform")
    assert failures(world, event) == (
        ProvisioningFailure(Member(None, "00u-bob", "bob@acme.example"), hours(1), "no user", "platform"),
    )


def test_who_was_read_is_told_as_they_were_read() -> None:
    """The log names people by Okta's id, which need not be what the policy takes for externalId."""
    world = company()
    world.events = [Event(PUSH, world.person("eve"), hours(1), reason="no")]
    mapping = AttributeNames(external_id="email")
    there = directory(world, organization(log=True, attributes=mapping))
    there.read(refs("eng-web"))
    assert there.failures() == (
        ProvisioningFailure(member("eve", external_id="eve@acme.example"), hours(1), "no"),
    )


def test_only_the_application_that_is_meant_counts() -> None:
    world = company()
    event = Event(PUSH, world.person("bob"), hours(1))
    assert len(failures(world, event, application="0oa-circleci")) == 1
    assert len(failures(world, event, application="circleci")) == 1
    assert failures(world, event, application="Salesforce") == ()


def test_the_log_is_read_back_thirty_days_and_without_an_end_in_the_future() -> None:
    world = company()
    long_ago = Event(PUSH, world.person("bob"), NOW - timedelta(days=31))
    assert failures(world, long_ago) == ()
    [asked] = world.requests
    assert (asked.url.params["since"], asked.url.params["until"]) == (
        "2026-10-21T12:00:00.000Z",
        "2026-11-20T12:00:00.000Z",
    )


def test_a_log_of_many_pages_is_read_whole() -> None:
    world = company(page=2)
    events = [
        Event(PUSH, world.person(name), hours(n)) for n, name in enumerate(("ada", "bob", "cleo", "eve"), 1)
    ]
    assert len(failures(world, *events)) == 4
