"""Every way in which the tests make a server lie, break or refuse, by name. To be here is to be tested.

Only what can be told: a server that leaves somebody out everywhere, and says that this is all, is believed.
"""

from collections.abc import Iterator, Mapping

from hostile.faults import (
    At,
    Body,
    Cap,
    Content,
    Cursors,
    Deed,
    Etags,
    Fault,
    Filters,
    Hidden,
    Knob,
    Late,
    Paging,
    Patching,
    Redirect,
    Reset,
    Rival,
    Shape,
    Status,
    Total,
)

STATUSES = (400, 401, 403, 404, 408, 409, 412, 429, 500, 501, 502, 503, 504)

ABILITIES = At("GET", "/ServiceProviderConfig", 1)
PEOPLE = At("GET", "/Users", 1)
MORE_PEOPLE = At("GET", "/Users", 2)
GROUPS = At("GET", "/Groups", 1)
READING = {"the people": PEOPLE, "more people": MORE_PEOPLE, "the groups": GROUPS, "every reading": At("GET")}

FIRST_WRITE = At("write", nth=1)
THIRD_WRITE = At("write", nth=3)
EVERY_WRITE = At("write")
WRITING = {"the first write": FIRST_WRITE, "every write": EVERY_WRITE}

FIRST_LOOK = At("GET", nth=1, written=True)
EVERY_LOOK = At("GET", written=True)
LOOKING = {"the first look after a write": FIRST_LOOK, "every look after a write": EVERY_LOOK}

UNTIL = {
    "seconds": "7",
    "no seconds": "0",
    "a day": "86400",
    "a date": "Fri, 20 Nov 2026 12:00:09 GMT",
    "a date long ago": "Sun, 06 Nov 1994 08:49:37 GMT",
    "a date far away": "Fri, 31 Dec 9999 23:59:59 GMT",
    "a date that there is not": "Fri, 31 Feb 2026 25:61:61 GMT",
    "a negative number": "-1",
    "a number without end": "9" * 400,
    "a word": "soon",
    "nothing": "",
}
APART: tuple[Knob, ...] = (Paging.ENDLESS, Cursors.ENDLESS, Patching.REMOVES_ALL, Patching.ADDS_ALONE)
"""Those with tests of their own: two are slow to be found out, two do harm that no client can prevent."""

ELSEWHERE = "https://elsewhere.test/scim/v2/Users"


def _single() -> Iterator[tuple[str, Knob]]:
    """Everything that is one knob."""
    yield from _statuses()
    yield from _waits()
    yield from _connections()
    yield from _redirects()
    yield from _bodies()
    for kinds in (Paging, Total, Cursors, Filters, Hidden, Shape, Patching, Etags):
        known = (kind for kind in kinds if kind not in APART)
        yield from ((f"{kinds.__name__.lower()}: {_said(kind.name)}", kind) for kind in known)
    for size in (1, 3, 100):
        yield f"pages of {size}", Cap(size)
        yield f"pages of {size}, announced", Cap(size, announced=True)
    yield from _rivals()


def _statuses() -> Iterator[tuple[str, Knob]]:
    for status in STATUSES:
        for where, at in READING.items():
            yield f"{status} for {where}", Status(at, status)
        yield f"{status} for the first write", Status(FIRST_WRITE, status)
        yield f"{status} for the first write, which took effect", Status(FIRST_WRITE, status, after=True)
        yield f"{status} for the first look after a write", Status(FIRST_LOOK, status)
    for status in (400, 404, 429, 500, 503):
        yield f"{status} for the abilities", Status(ABILITIES, status)
        yield f"{status} for the third write", Status(THIRD_WRITE, status)
        yield f"{status} for every write", Status(EVERY_WRITE, status)
        yield f"{status} for every write, which took effect", Status(EVERY_WRITE, status, after=True)
        yield f"{status} for every look after a write", Status(EVERY_LOOK, status)
    for scim_type in ("invalidPath", "invalidFilter", "noTarget", "invalidValue", "mutability", "tooMany"):
        yield f"400 {scim_type} for every write", Status(EVERY_WRITE, 400, scim_type)
    yield "409 uniqueness for the first write", Status(FIRST_WRITE, 409, "uniqueness")


def _waits() -> Iterator[tuple[str, Knob]]:
    for name, until in UNTIL.items():
        yield f"429 for the people, Retry-After {name}", Status(PEOPLE, 429, retry_after=until)
    for name in ("seconds", "a day", "a date", "a word"):
        waits = Status(FIRST_WRITE, 503, retry_after=UNTIL[name])
        yield f"503 for the first write, Retry-After {name}", waits
    busy = Status(FIRST_WRITE, 503, retry_after="1", after=True)
    yield "503 for the first write, which took effect, Retry-After a second", busy


def _connections() -> Iterator[tuple[str, Knob]]:
    for where, at in (READING | WRITING | LOOKING).items():
        yield f"reset for {where}", Reset(at)
        yield f"reset in the middle of {where}", Reset(at, after=True, mid_body=True)
        yield f"too slow: {where}", Late(at, 1000)
    for where, at in WRITING.items():
        yield f"reset for {where}, which took effect", Reset(at, after=True)
        yield f"{where} never arrives", Late(at, 1000, after=False)
    yield "slow throughout", Late(At(), 3)


def _redirects() -> Iterator[tuple[str, Knob]]:
    for status in (301, 302, 303, 307, 308):
        yield f"{status} to itself for the people", Redirect(At("GET", "/Users"), status, "/scim/v2/Users")
        yield f"{status} elsewhere for the people", Redirect(PEOPLE, status, ELSEWHERE)
        yield f"{status} elsewhere for the first write", Redirect(FIRST_WRITE, status, ELSEWHERE)
    yield "307 elsewhere for every look after a write", Redirect(EVERY_LOOK, 307, ELSEWHERE)


def _bodies() -> Iterator[tuple[str, Knob]]:
    for body in Body:
        said = _said(body.name)
        yield f"{said} for the people", Content(PEOPLE, body)
        yield f"{said} for the first write", Content(FIRST_WRITE, body)
        if body is not Body.BOMB:
            yield f"{said} for the groups", Content(GROUPS, body)
            yield f"{said} for the first look after a write", Content(FIRST_LOOK, body)
    for body in (Body.HTML, Body.NOTHING, Body.ERROR, Body.EMPTY_OBJECT):
        said = _said(body.name)
        yield f"{said} for more people", Content(MORE_PEOPLE, body)
        yield f"{said} for every write, and none done", Content(EVERY_WRITE, body, after=False)
        yield f"{said} for every look after a write", Content(EVERY_LOOK, body)
    yield "html for the abilities", Content(ABILITIES, Body.HTML)


def _rivals() -> Iterator[tuple[str, Knob]]:
    """Cleo gains, Eve becomes admin, Bob stops being one, Jon is none of the plan's business."""
    for deed in Deed:
        for person in ("cleo", "eve", "bob", "jon"):
            rival = Rival(FIRST_WRITE, deed, f"{person}@acme.example")
            yield f"a rival: {_said(deed.name)} {person} before the first write", rival
    for deed in (Deed.CLEAR, Deed.DELETE, Deed.DEACTIVATE):
        ada = "ada@acme.example"
        yield f"a rival: {_said(deed.name)} ada before the first write", Rival(FIRST_WRITE, deed, ada)
        yield f"a rival: {_said(deed.name)} ada while people are listed", Rival(MORE_PEOPLE, deed, ada)


COMBINED: Mapping[str, tuple[Knob, ...]] = {
    "no members, no groups": (Hidden.MEMBERS, Hidden.GROUPS),
    "no members, no groups, filters ignored": (Hidden.MEMBERS, Hidden.GROUPS, Filters.IGNORED),
    "no members, no groups, filters refused": (Hidden.MEMBERS, Hidden.GROUPS, Filters.REFUSED),
    "no members, no groups, filters answer nobody": (Hidden.MEMBERS, Hidden.GROUPS, Filters.ANSWER_NOBODY),
    "pages repeat, no total": (Paging.REPEATS, Total.MISSING),
    "pages repeat, the total is the page's": (Paging.REPEATS, Total.OF_PAGE),
    "pages of one, the total is the page's": (Cap(1), Total.OF_PAGE),
    "whole pages, no total": (Paging.WHOLE, Total.MISSING),
    "filters in paths unknown, weak versions never match": (Patching.WITHOUT_FILTERS, Etags.NEVER_MATCH),
    "PATCH unknown, weak versions never match": (Patching.UNKNOWN, Etags.NEVER_MATCH),
    "PATCH unknown, no versions": (Patching.UNKNOWN, Hidden.VERSIONS),
    "not atomic, and every look fails": (Patching.ONLY_FIRST, Status(EVERY_LOOK, 500)),
    "nothing done, and every look reset": (Patching.IGNORED, Reset(EVERY_LOOK)),
    "a rival raises cleo, and the write is lost": (
        Rival(FIRST_WRITE, Deed.RAISE, "cleo@acme.example"),
        Reset(FIRST_WRITE),
    ),
    "a rival touches everybody's version, and the write is lost": (
        Rival(FIRST_WRITE, Deed.TOUCH, "cleo@acme.example"),
        Reset(FIRST_WRITE, after=True),
    ),
    "roles in JSON, filters in paths unknown": (Shape.ROLES_AS_JSON, Patching.WITHOUT_FILTERS),
    "busy at first for everything": tuple(
        Status(At(method, nth=1), 503, retry_after="1") for method in ("GET", "POST", "PATCH")
    ),
}


def _concerns_reading(knob: Knob) -> bool:
    if isinstance(knob, Fault | Rival):
        return knob.at.fits("GET", knob.at.path, written=False)
    return not isinstance(knob, Patching) or knob is Patching.UNKNOWN


def _said(name: str) -> str:
    return name.lower().replace("_", " ")


KNOBS: Mapping[str, tuple[Knob, ...]] = {**{name: (knob,) for name, knob in _single()}, **COMBINED}

READS: Mapping[str, tuple[Knob, ...]] = {
    name: knobs for name, knobs in KNOBS.items() if any(map(_concerns_reading, knobs))
}
"""Those of which somebody who only reads can notice anything."""
