"""Who joins, stays, leaves and returns, by what the directory says of everybody. A fact, as drift is one.

What a run does about it is `lifecycle`'s. Whoever can't be told for certain is nobody of these: their roles
and their account stay as they are, and a problem says why.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from reconciler.errors import ReadError
from reconciler.model import (
    DirectoryGroup,
    LiveState,
    Member,
    Membership,
    Principal,
    fold,
    fold_all,
    provisional,
)
from reconciler.people import groups
from reconciler.people.identity import People
from reconciler.policy.document import DirectoryKind, Policy
from reconciler.problem import Problem

LAST = datetime.max.replace(tzinfo=UTC)
"""The last moment that there is: whoever plans as of the year 9999 sees no grace end after it."""


UNSET = datetime(1970, 1, 1, tzinfo=UTC)
"""Directories write a time long ago (year 1, 1601) for "not set": nobody has been gone since before this."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger proves of accounts, by principal id; of nobody where it was not asked."""

    deactivated: Mapping[str, datetime] = field(default_factory=dict)
    """When this program deactivated an account that it has not reactivated since, aware."""
    told: Mapping[str, datetime] = field(default_factory=dict)
    """Since when every run has told of a leaver, aware."""


@dataclass(frozen=True, slots=True)
class Match:
    """An account, and the one person of the directory whose it is."""

    principal: Principal
    member: Member

    @property
    def contradicted(self) -> bool:
        """Whether both sides have an externalId, and not the same: the name may be somebody else's now."""
        ours, theirs = self.principal.external_id, self.member.external_id
        return bool(ours and theirs) and ours != theirs

    @property
    def agrees(self) -> bool:
        """Whether both sides have the same externalId."""
        return bool(self.member.external_id) and self.member.external_id == self.principal.external_id


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody whose account is active, and whom the directory calls inactive or does not list."""

    principal: Principal
    listed: Member | None
    """As the directory lists them; None where it does not."""
    since: datetime | None
    """When that began, as far as anything tells, aware."""
    grace_ends: datetime
    """When their account may be touched, aware, and their roles where they are not listed."""
    doubtful: bool = False
    """Whether they may be a person whom the directory lists, and who is not on the server."""

    @property
    def words(self) -> str:
        """How the directory has them."""
        return (
            f"{self.listed.status or 'inactive'} in the directory" if self.listed else "not in the directory"
        )

    def is_due(self, now: datetime) -> bool:
        """Whether their account may be touched."""
        return now >= self.grace_ends and not self.doubtful


@dataclass(frozen=True, slots=True)
class Population:
    """What the directory's word means for the people on the server. Without one: nothing, for nobody."""

    matches: Mapping[str, Match] = field(default_factory=dict)
    """By principal id. Nobody of the directory is in two of them."""
    groups: Mapping[Member, tuple[str, ...]] = field(default_factory=dict)
    """Of newcomers, strangers and returners: the names of the groups of bindings that they are in, sorted."""
    newcomers: tuple[Match, ...] = ()
    """Who may be created, with a provisional id, if the policy gives them anything. Sorted."""
    strangers: tuple[Member, ...] = ()
    """In groups of bindings, not on the server, and not to be created. Sorted."""
    returning: frozenset[str] = frozenset()
    """Inactive on the server, and entitled all the same, for they are coming back."""
    returners: tuple[Match, ...] = ()
    """Those of them and of others who stay away, for the policy does not say that they may return."""
    leavers: tuple[Leaver, ...] = ()
    spared: tuple[Leaver, ...] = ()
    """Who would be a leaver, but is protected, no person, the token's user or on a temporary grant."""
    gone: tuple[Principal, ...] = ()
    """Inactive on the server, and in the directory too or not listed there."""
    denied: Mapping[str, str] = field(default_factory=dict)
    """By principal id: who is active on the server, entitled to nothing, and how the directory has them."""
    held: frozenset[str] = frozenset()
    """Who keeps all that they hold, and gains nothing."""
    told_apart: frozenset[str] = frozenset()
    """Who is known not to be one of the strangers."""
    exempt: frozenset[str] = frozenset()
    """Whose account no run touches."""
    named: frozenset[str] = frozenset()
    """Whom the policy names by the userName that they have: by another, it would not know them any more."""
    problems: tuple[Problem, ...] = ()

    def barred(self, people: Mapping[str, Principal]) -> frozenset[str]:
        """The ids of those who can be given nothing: few, so that nobody else need be asked about."""
        inactive = {id_ for id_, person in people.items() if person.active is False}
        return frozenset((inactive | self.denied.keys()) - self.returning)

    def joined(self, live: LiveState) -> LiveState:
        """The live state as if the newcomers were on the server, and held nothing."""
        if not self.newcomers:
            return live
        newcomers = {one.principal.id: one.principal for one in self.newcomers}
        return replace(live, people={**live.people, **newcomers})


def of(
    policy: Policy,
    membership: Membership,
    live: LiveState,
    now: datetime,
    past: Past | None = None,
    own_user: str | None = None,
) -> Population:
    """Sort out everybody. `membership` has one record of each person (`identity.together`).

    `own_user` is the principal id of the user whose token it is, if it is one's. A directory of kind scim
    knows just the people whom the server knows, so nobody joins or leaves by it. Raises ReadError where the
    directory lists nobody at all: that is no answer.
    """
    if policy.organization.directory.kind is DirectoryKind.SCIM:
        return Population()
    if membership.people is not None and not membership.people:
        raise ReadError(
            "the directory lists not a single person, so nobody can be told to have left",
            "check the rights that it is read with",
        )
    sorting = _Sorting(policy, membership, live, now, past or Past(), own_user)
    sorting.match()
    sorting.find_renames()
    return sorting.population()


@dataclass(slots=True)
class _Sorting:
    """Everybody while they are sorted out. The order of its steps matters: each believes the one before."""

    policy: Policy
    membership: Membership
    live: LiveState
    now: datetime
    past: Past
    own_user: str | None
    people: People = field(init=False)
    meant: list[DirectoryGroup] = field(init=False)
    """The groups that bindings mean for certain."""
    bound: frozenset[Member] = field(init=False)
    """Who is in them."""
    machines: frozenset[str] = field(init=False)
    """The folded userNames of service accounts, whom no directory of people need know."""
    owners: dict[str, list[Member]] = field(default_factory=dict)
    """By principal id: the persons whose account it is, sorted."""
    outside: list[Member] = field(default_factory=list)
    """Who may have access, and has no account. Sorted."""
    disputed: set[Member] = field(default_factory=set)
    """Persons who can't be told from others."""
    frozen: set[str] = field(default_factory=set)
    """Principals whose person can't be told, or who may be called otherwise now."""
    ids_agree: bool = True
    """Whether an externalId is mostly the same on both sides, where both tell it.

    If not, it is another attribute here than there, and says nothing about anybody.
    """
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.people = People.on(self.live, self.policy.people)
        self.meant = _meant(self.policy, self.membership)
        self.bound = frozenset[Member]().union(*(group.members or () for group in self.meant))
        self.machines = frozenset(fold(account.user) for account in self.policy.service_accounts)

    # Who is who.

    def match(self) -> None:
        """Find everybody's account, and what contradicts itself."""
        owners: dict[str, list[Member]] = defaultdict(list)
        for person in self.membership.everybody:
            if account := self._account(person):
                owners[account.id].append(person)
            elif person.active is not False and self.people.match(person) is None:
                self.outside.append(person)
        self.outside.sort(key=_rank)
        self.owners = dict(owners)
        for id_, persons in owners.items():
            if len(persons) > 1:
                persons.sort(key=_rank)
                user_name = self.live.people[id_].user_name
                self._dispute(
                    f"the directory has {len(persons)} people who are '{user_name}' on the server: "
                    f"{', '.join(map(_described, persons))}",
                    "the identity provider must let one of them go by another name",
                    persons,
                    [id_],
                )
        self._find_namesakes()
        self._compare_ids()

    def _account(self, person: Member) -> Principal | None:
        """Whose account it is, by all keys. Disputed where they contradict each other."""
        by_id = self.people.by_external_id.get(person.external_id or "", [])
        named = self.people.named(person.user_name) if person.user_name else None
        if len(by_id) > 1:
            names = ", ".join(sorted(account.user_name for account in by_id))
            message = (
                f"{len(by_id)} accounts on the server have the externalId of {_described(person)}: {names}"
            )
            remedy = "the identity provider must correct the externalId of all but one"
        elif named and by_id and named.id != by_id[0].id:
            message = (
                f"{_described(person)} is '{by_id[0].user_name}' on the server by externalId, "
                f"and '{named.user_name}' by userName"
            )
            remedy = "the identity provider must rename one of the accounts, or correct its externalId"
        else:
            return self.people.match(person)
        accounts = [*by_id, named] if named else by_id
        self._dispute(message, remedy, [person], [account.id for account in accounts])
        return None

    def _find_namesakes(self) -> None:
        """Persons of one userName: each would be given the account of the other."""
        present = [one for one in self.membership.everybody if one.user_name and one.active is not False]
        names = fold_all(one.user_name or "" for one in present)
        several = {name for name, times in Counter(names).items() if times > 1}
        by_name: dict[str, list[Member]] = defaultdict(list)
        for name, person in zip(names, present, strict=True):
            if name in several:
                by_name[name].append(person)
        for persons in by_name.values():
            if not self.disputed.issuperset(persons):
                self._dispute(
                    f"the directory has {len(persons)} people with one userName: "
                    f"{', '.join(map(_described, sorted(persons, key=_rank)))}",
                    "the identity provider must rename all but one",
                    persons,
                    [id_ for id_, owners in self.owners.items() if any(one in persons for one in owners)],
                )

    def _compare_ids(self) -> None:
        """See whether externalIds are to be believed; if not, nobody is created with one that is none."""
        present = [match for match in self._matches().values() if match.member.active is not False]
        other = sum(match.contradicted for match in present)
        same = sum(match.agrees for match in present)
        self.ids_agree = same >= other
        joining = [one for one in self.outside if one.external_id and one in self.bound]
        if joining and self.policy.organization.lifecycle.creates and not self.ids_agree:
            self._dispute(
                f"nobody is created: the externalId of {other} of the people on the server is not the "
                f"directory's, and of {same} it is",
                "say which attribute of the directory it should be: `directory.attributes.external_id`",
                joining,
                (),
            )

    def find_renames(self) -> None:
        """Persons without an account who may be those of accounts without a person."""
        lost = [one for one in self.live.people.values() if one.entitled and self._is_lost(one)]
        traces: dict[tuple[str, str], list[Principal]] = defaultdict(list)
        for account in lost:
            for trace in _traces(account.display_name, account.email, account.user_name):
                traces[trace].append(account)
        for person in self.outside:
            # Of all people of a large directory, somebody is always called like somebody else.
            name = person.display_name if person in self.bound else None
            found = {
                account.id: account
                for trace in _traces(name, person.email, person.user_name)
                for account in traces.get(trace, ())
                if not self._differ(person, account)
            }
            if found:
                self._possible_rename(person, sorted(found.values(), key=_name))

    def _is_lost(self, account: Principal) -> bool:
        known = account.id in self.owners or account.id in self.frozen
        return not known and fold(account.user_name) not in self.machines

    def _possible_rename(self, person: Member, accounts: list[Principal]) -> None:
        names = ", ".join(account.user_name for account in accounts)
        is_so = "have the directory tell their userName"
        if person.user_name:
            is_so = f"write `people: [{{user: {person.user_name}, previously: [{accounts[0].user_name}]}}]`"
        self._dispute(
            f"possible rename: {_described(person)} of the directory may be {names} on the server",
            f"if so, {is_so}; if not, let somebody take the roles of the other account, or deactivate it",
            [person],
            [account.id for account in accounts],
        )

    def _dispute(self, message: str, remedy: str, persons: Iterable[Member], accounts: Iterable[str]) -> None:
        self.disputed.update(persons)
        self.frozen.update(accounts)
        self.problems.append(Problem(self.policy.organization.place("directory"), message, remedy))

    # What follows.

    def population(self) -> Population:
        matches = self._matches()
        newcomers = self._newcomers()
        joining = {one.member for one in newcomers}
        strangers = [one for one in self.outside if one in self.bound and one not in joining]
        apart = self._told_apart(strangers)
        exempt = self._exempt()
        leavers, spared = self._leavers(exempt, apart)
        returners = sorted(
            (one for id_, one in matches.items() if self._returns(one) and id_ not in exempt),
            key=lambda match: _name(match.principal),
        )
        lifecycle = self.policy.organization.lifecycle
        return Population(
            matches=matches,
            groups=self._groups({*joining, *strangers, *(one.member for one in returners)}),
            newcomers=newcomers,
            strangers=tuple(one for one in strangers if one not in self.disputed),
            returning=frozenset(
                one.principal.id for one in returners if lifecycle.reactivates and not one.contradicted
            ),
            returners=tuple(returners),
            leavers=leavers,
            spared=spared,
            gone=self._gone(exempt, apart),
            denied=self._denied(leavers, spared),
            held=frozenset(self.frozen | {one.principal.id for one in leavers if self._keeps(one)}),
            told_apart=apart,
            exempt=exempt,
            named=self._named(),
            problems=tuple(sorted(self.problems)),
        )

    def _matches(self) -> Mapping[str, Match]:
        return {
            id_: Match(self.live.people[id_], persons[0])
            for id_, persons in self.owners.items()
            if id_ not in self.frozen
        }

    def _newcomers(self) -> tuple[Match, ...]:
        """The accounts that may be created. Who has no userName can't have one."""
        if not self.policy.organization.lifecycle.creates:
            return ()
        return tuple(
            Match(_account(person, person.user_name), person)
            for person in self.outside
            if person.user_name and person in self.bound and person not in self.disputed
        )

    def _groups(self, concerned: Set[Member]) -> Mapping[Member, tuple[str, ...]]:
        """The names of the groups of bindings that some people are in, sorted."""
        names: dict[Member, set[str]] = defaultdict(set)
        for group in self.meant:
            for member in concerned & (group.members or frozenset()):
                names[member].add(group.name)
        return {member: tuple(sorted(of_member)) for member, of_member in names.items()}

    def _told_apart(self, strangers: Collection[Member]) -> frozenset[str]:
        """Everybody but those who have no person, and may be one of the strangers by all that is known."""
        if not strangers:
            return frozenset(self.live.people)
        telling = self.ids_agree and all(stranger.external_id for stranger in strangers)
        others = (id_ for id_, account in self.live.people.items() if telling and account.external_id)
        return frozenset(self.owners).union(others)

    def _differ(self, person: Member, account: Principal) -> bool:
        """Whether a stranger can't be the person of an account: both have an externalId, and it counts."""
        return bool(person.external_id and account.external_id) and self.ids_agree

    def _leavers(
        self, exempt: Collection[str], apart: Collection[str]
    ) -> tuple[tuple[Leaver, ...], tuple[Leaver, ...]]:
        """Those who leave, and those who would if they were anybody else."""
        on_grant = self._on_grant()
        leavers: list[Leaver] = []
        spared: list[Leaver] = []
        for account in self.live.people.values():
            person = self._person(account)
            stays = person.active is not False if person else self.membership.people is None
            if stays or not account.entitled or account.id in self.frozen:
                continue
            is_spared = account.id in exempt or (person is None and account.id in on_grant)
            leaver = self._leaver(account, person, doubtful=account.id not in apart)
            (spared if is_spared else leavers).append(leaver)
        return tuple(sorted(leavers, key=_leaving)), tuple(sorted(spared, key=_leaving))

    def _leaver(self, account: Principal, listed: Member | None, *, doubtful: bool) -> Leaver:
        """With the beginning of their grace: the directory's word, else the ledger's, else now."""
        told = (listed.since if listed else None, self.past.told.get(account.id))
        since = next((one for one in told if one and UNSET < one <= self.now), None)
        grace = timedelta(days=self.policy.organization.lifecycle.grace)
        begun = since or self.now
        ends = begun + grace if grace < LAST - begun else LAST
        return Leaver(account, listed, since, ends, doubtful)

    def _person(self, account: Principal) -> Member | None:
        """The person whose account it is."""
        persons = self.owners.get(account.id)
        return persons[0] if persons else None

    def _keeps(self, leaver: Leaver) -> bool:
        """Whether somebody keeps all they hold: being listed no more may pass, being inactive is meant."""
        return leaver.listed is None and self.now < leaver.grace_ends

    def _denied(self, leavers: Iterable[Leaver], spared: Iterable[Leaver]) -> Mapping[str, str]:
        """Whom the directory calls inactive, but for machines; and those who leave with this run."""
        deactivates = self.policy.organization.lifecycle.deactivates
        inactive = (one for one in (*leavers, *spared) if one.listed)
        people = (one for one in inactive if fold(one.principal.user_name) not in self.machines)
        leaving = (one for one in leavers if deactivates and one.is_due(self.now))
        return {one.principal.id: one.words for one in (*people, *leaving)}

    def _gone(self, exempt: Collection[str], apart: Collection[str]) -> tuple[Principal, ...]:
        """Inactive on both sides, or here and not listed there; only of these may accounts be deleted."""
        spared = self.frozen.union(exempt, self._on_grant())
        if self.membership.people is None:
            return ()
        gone = (
            account
            for account in self.live.people.values()
            if not account.entitled
            and account.id not in spared
            and account.id in apart
            and ((person := self._person(account)) is None or person.active is False)
        )
        return tuple(sorted(gone, key=_name))

    def _returns(self, match: Match) -> bool:
        """Whether the directory means somebody inactive to be here. A status that we don't know does not."""
        member = match.member
        is_active = member.active or (member.active is None and not member.status)
        return not match.principal.entitled and is_active and member in self.bound

    def _exempt(self) -> frozenset[str]:
        names = self.machines.union(map(fold, self.policy.organization.guardrails.protected))
        exempt = self._called(names)
        return exempt | {self.own_user} if self.own_user else exempt

    def _named(self) -> frozenset[str]:
        """Whose class, end, grant or required role hangs on their userName."""
        names = {
            *(entry.user for entry in self.policy.people),
            *(grant.user for grant in self.policy.grants if self.now <= grant.expires),
            *self.policy.organization.guardrails.required_admins,
        }
        return self._called(set(map(fold, names)))

    def _called(self, names: Collection[str]) -> frozenset[str]:
        """Whose account has one of these folded userNames."""
        known = self.live.by_user_name
        return frozenset(known[name].id for name in names if name in known)

    def _on_grant(self) -> frozenset[str]:
        """Who has a temporary grant that is running: the policy knows them, if the directory does not."""
        running = (
            self.people.named(grant.user)
            for grant in self.policy.grants
            if (grant.starts is None or grant.starts <= self.now) and self.now <= grant.expires
        )
        return frozenset(account.id for account in running if account)


def _meant(policy: Policy, membership: Membership) -> list[DirectoryGroup]:
    """The groups that bindings mean for certain."""
    found = (groups.find(one.group, one.at, membership, suggests=False) for one in policy.bindings)
    return [group for group in found if not isinstance(group, Problem)]


def _account(person: Member, user_name: str) -> Principal:
    """The account that a newcomer is to have."""
    return Principal(
        provisional(user_name),
        user_name,
        person.external_id,
        active=True,
        display_name=person.display_name,
        email=person.email,
    )


def _traces(display_name: str | None, email: str | None, user_name: str | None) -> set[tuple[str, str]]:
    """What may be the same of one person under two names. Evidence for a question, never for an answer."""
    told = (("name", display_name), ("mail", email), ("mail", user_name))
    return {(kind, fold(value.strip())) for kind, value in told if value and value.strip()}


def _described(person: Member) -> str:
    beside = f" ({person.external_id})" if person.user_name and person.external_id else ""
    return f"'{person}'{beside}"


def _rank(person: Member) -> tuple[str, str]:
    return (fold(str(person)), person.external_id or "")


def _leaving(leaver: Leaver) -> tuple[str, str]:
    return _name(leaver.principal)


def _name(account: Principal) -> tuple[str, str]:
    return (fold(account.user_name), account.id)
