"""Laws of classes and ends, on organizations that hypothesis makes up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from build import NOW, binding, grant, group, live, membership, organization, person, person_class, principal
from build import policy as policy_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from reconciler import desired
from reconciler.model import DesiredState, Holdings, LiveState, Member, Membership, Role
from reconciler.policy.document import Binding, PersonClass, Policy

NAMES = ("ann", "bob", "cid", "dot")
CLASSES = ("contractor", "intern", "vendor")
GROUPS = ("eng", "ops")
ENDS: tuple[datetime | None, ...] = (None, None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=3))
TOLD = ("", "2026-11-22", "2026-11-23", "2030-01-01", "soon")
ROLES = ("", "viewer", "contributor", "admin")


@dataclass(frozen=True)
class Small:
    """A policy with classes, and both sides."""

    policy: Policy
    membership: Membership
    live: LiveState
    inside: Mapping[str, frozenset[str]]
    """By short name, the classes that somebody is in, for whatever reason."""
    ends: Mapping[str, frozenset[datetime | str]]
    """By short name, every end of theirs that is told, as far as their classes ask for it."""

    def expand(self) -> DesiredState:
        return desired.expand(self.policy, self.membership, self.live, NOW)

    def of(self, name: str) -> list[PersonClass]:
        return [self.policy.organization.classes[one] for one in self.inside[name]]

    def over(self, name: str) -> bool:
        """Whether any end that can be understood has passed."""
        return any(end < NOW if isinstance(end, datetime) else end == "2026-11-22" for end in self.ends[name])

    def in_doubt(self, name: str) -> bool:
        required = any(one.end_required for one in self.of(name))
        return not self.over(name) and ("soon" in self.ends[name] or (required and not self.ends[name]))


@st.composite
def smalls(draw: DrawFn) -> Small:
    several = [
        person_class(
            name,
            groups=[f"in-{name}"],
            attributes={"kind": (name,)},
            end="end" if draw(st.booleans()) else "",
            end_required=draw(st.integers(0, 3)) == 3,
            highest=draw(st.sampled_from(ROLES)),
            named=draw(st.booleans()),
            line=line,
        )
        for line, name in enumerate(CLASSES[: draw(st.integers(0, 3))], start=50)
    ]
    names = [one.name for one in several]
    how = {
        name: {one: draw(st.sampled_from(["", "", "group", "kind", "said"])) for one in names}
        for name in NAMES
    }
    told = {name: draw(st.sampled_from(TOLD)) for name in NAMES}
    ends = {name: draw(st.sampled_from(ENDS)) for name in NAMES}
    members = {
        name: Member(
            user_name=f"{name.upper()}@acme.example",
            attributes=tuple(
                sorted(
                    [("end", told[name])]
                    + [("kind", one.upper()) for one in names if how[name][one] == "kind"]
                )
            ),
        )
        for name in NAMES
    }
    entries = [
        person(name, *(one for one in names if how[name][one] == "said"), ends=ends[name], line=line)
        for line, name in enumerate(NAMES, start=1)
    ]
    bindings = [
        binding(
            one,
            draw(st.sampled_from(ROLES)),
            web=draw(st.sampled_from(ROLES[1:])),
            classes=tuple(name for name in names if draw(st.booleans())),
            line=line,
        )
        for line, one in enumerate(GROUPS, start=10)
    ]
    grants = [grant("ann", app="admin", line=20)] if draw(st.booleans()) else []
    groups = [
        *(group(one, *(members[name] for name in NAMES if draw(st.booleans()))) for one in GROUPS),
        *(
            group(f"in-{one}", *(members[name] for name in NAMES if how[name][one] == "group"))
            for one in names
        ),
        group("everybody", *members.values()),
    ]
    held: dict[str, Holdings] = {
        name: {entry.scope: frozenset([entry.role]) for entry in draw(st.sampled_from(bindings)).roles}
        for name in NAMES
        if draw(st.booleans())
    }
    inside = {name: frozenset(one for one in names if how[name][one]) for name in NAMES}
    asks = {name: any(one.end_attribute for one in several if one.name in inside[name]) for name in NAMES}
    return Small(
        policy_of(*bindings, *grants, *entries, of=organization(classes=several)),
        membership(*groups),
        live(held, *(principal(name) for name in NAMES if name not in held)),
        inside,
        {
            name: frozenset(end for end in (ends[name], told[name] if asks[name] else "") if end)
            for name in NAMES
        },
    )


@given(smalls())
def test_classes_and_ends_never_raise_what_somebody_gets(small: Small) -> None:
    without = replace(small.policy, organization=replace(small.policy.organization, classes={}), people=())
    state, free = small.expand(), replace(small, policy=without).expand()
    for name in NAMES:
        if not small.in_doubt(name):
            for scope, roles in state.holdings(f"u-{name}").items():
                assert max(roles) <= max(free.holdings(f"u-{name}")[scope])


@given(smalls())
def test_nobody_past_their_end_is_given_anything_and_all_that_they_lose_is_announced(small: Small) -> None:
    state = small.expand()
    for name in filter(small.over, NAMES):
        assert state.holdings(f"u-{name}") == {}
        for scope, roles in small.live.holdings(f"u-{name}").items():
            reasons = state.why[f"u-{name}"][scope]
            assert any(one.ended and one.role >= max(roles) for one in reasons)


@given(smalls())
def test_who_may_be_past_their_end_keeps_just_what_they_have(small: Small) -> None:
    state = small.expand()
    told = " ".join(problem.message for problem in state.problems)
    for name in filter(small.in_doubt, NAMES):
        assert state.holdings(f"u-{name}") == small.live.holdings(f"u-{name}")
    assert all(small.in_doubt(name) for name in NAMES if f"{name}@" in told)


@given(smalls())
def test_bindings_give_nobody_more_than_their_classes_allow(small: Small) -> None:
    state = small.expand()
    for name in NAMES:
        caps = [one.highest_role for one in small.of(name) if one.highest_role]
        named_only = {one.name for one in small.of(name) if one.only_where_named}
        for reasons in state.why.get(f"u-{name}", {}).values():
            for one in reasons:
                if one.entry == "binding" and not one.withheld:
                    assert one.role <= min(caps, default=Role.ADMIN)
                    written = next(b for b in small.policy.bindings if b.at == one.at)
                    assert named_only <= set(written.classes)


@given(smalls())
def test_neither_letter_case_nor_order_changes_anything(small: Small) -> None:
    other = replace(
        small,
        policy=replace(
            small.policy,
            organization=replace(
                small.policy.organization,
                classes=dict([*small.policy.organization.classes.items()][::-1]),
            ),
            bindings=tuple(map(_swapped, reversed(small.policy.bindings))),
            people=tuple(
                replace(entry, user=entry.user.swapcase(), classes=entry.classes[::-1])
                for entry in reversed(small.policy.people)
            ),
        ),
        membership=replace(small.membership, groups=small.membership.groups[::-1]),
    )
    state, swapped = small.expand(), other.expand()
    assert (swapped.roles, swapped.problems, swapped.given) == (state.roles, state.problems, state.given)
    assert [one.message for one in swapped.findings] == [one.message for one in state.findings]


def _swapped(written: Binding) -> Binding:
    reference = replace(written.group, name=written.group.name.swapcase())
    return replace(written, group=reference, classes=written.classes[::-1])
