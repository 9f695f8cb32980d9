"""What is decoded straight from bytes is what the whole document says, in whatever spelling, or is left."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReadError
from reconciler.http import answers
from reconciler.http.transport import Reply
from reconciler.scim import decoding, wire
from reconciler.scim.decoding import Form
from reconciler.scim.wire import Group, Page
from reconciler.settings import Token

Json = str

TEXTS = st.sampled_from(
    ['"a"', '"ada@acme.example"', '"caf\\u00e9"', '"Ünal"', '"W/\\"1\\""', '"org-viewer"']
)
ODD = st.sampled_from(
    [
        *(
            "null",
            '""',
            "[]",
            "{}",
            "7",
            "-1",
            "1.0",
            "true",
            '"TRUE"',
            '"\\ud800"',
            '"\udcff"',
            "NaN",
            "1" * 5000,
        ),
        *("[null]", '["a"]', "[7]", '{"value": "a"}', '[{"value": ""}]', '[{"Value": "a"}]'),
        *(
            '[{"value": "a", "value": null}]',
            '[{"$ref": "../Groups/g"}]',
            '[{"value": "[\\"org-viewer\\"]"}]',
        ),
    ]
)


def object_of(*pairs: tuple[str, st.SearchStrategy[Json]]) -> st.SearchStrategy[Json]:
    """An object with some of these attributes, in any order, some of them twice."""
    one = st.one_of([st.tuples(st.just(name), value) for name, value in pairs])
    return st.lists(one, max_size=len(pairs) + 1).map(written)


def written(pairs: list[tuple[str, Json]]) -> Json:
    return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in pairs) + "}"


def list_of(entries: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.lists(entries, max_size=3).map(lambda found: "[" + ", ".join(found) + "]")


REF = st.sampled_from(['"https://x/scim/v2/Users/a"', '"../Groups/g/"', '"a"'])
KIND = st.sampled_from(['"User"', '"group"', '"other"'])
ENTRY = object_of(("value", TEXTS), ("$ref", REF), ("type", KIND), ("display", TEXTS))
EMAIL = object_of(("value", TEXTS), ("primary", st.sampled_from(["true", "false"])), ("type", TEXTS))
META = object_of(("version", TEXTS), ("resourceType", TEXTS), ("location", TEXTS))
PLAIN = {
    "id": TEXTS,
    "externalId": TEXTS,
    "userName": TEXTS,
    "displayName": TEXTS,
    "userType": TEXTS,
    "active": st.sampled_from(["true", "false"]),
    "emails": list_of(EMAIL),
    "roles": list_of(object_of(("value", TEXTS), ("primary", st.just("true")))),
    "groups": list_of(ENTRY),
    "members": list_of(ENTRY),
    "meta": META,
    "title": TEXTS,
    "schemas": st.just('["urn:ietf:params:scim:schemas:core:2.0:User"]'),
    "urn:acme:vendor": st.just('{"badge": 7}'),
}
SPELLINGS: list[Callable[[str], str]] = [
    str, str.upper, str.capitalize, lambda name: name.replace("s", "ſ"), lambda name: f"{name} "
]  # fmt: skip


@st.composite
def resources(draw: st.DrawFn) -> Json:
    """A resource that is mostly as it should be, for nothing else is of interest to both."""
    pairs = [("id", '"u"'), ("userName", draw(TEXTS))]
    for name in draw(st.lists(st.sampled_from(sorted(PLAIN)), max_size=6)):
        odd = draw(st.integers(0, 9))
        spelled = draw(st.sampled_from(SPELLINGS))(name) if odd == 0 else name
        pairs.append((spelled, draw(ODD if odd == 1 else PLAIN[name])))
    return written(draw(st.permutations(pairs)))


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    found = draw(st.lists(resources(), max_size=3))
    pairs = [
        ("schemas", json.dumps([wire.LIST_SCHEMA])),
        ("totalResults", str(len(found))),
        ("Resources", f"[{', '.join(found)}]"),
    ]
    more = st.sampled_from(["schemas", "totalResults", "nextCursor", "resources", "x"])
    pairs += draw(st.lists(st.tuples(more, st.one_of(ODD, TEXTS)), max_size=2))
    return written(pairs).encode("utf-8", "surrogateescape")


def both(form: Form[object], body: bytes) -> None:
    """What is decoded is what is understood, and nothing is decoded that is not."""
    quick = form.decoded(body)
    if quick is not None:
        document = answers.json_object(body)
        if document is not None or "1" * 5000 not in body.decode():  # which Python refuses to read
            assert document is not None
            assert form.understood(document) == quick


FORMS = [decoding.people, decoding.groups, decoding.identifiers]


def test_versions_are_left_out_where_nobody_writes() -> None:
    page = decoding.people(versions=False).decoded(page_of(ADA))

    assert page is not None
    assert [one.version for one in page.resources] == [None]
    assert page == decoding.people().decoded(page_of({**ADA, "meta": None}))


@pytest.mark.parametrize("form", FORMS)
@given(first=pages(), body=pages())
def test_a_page_that_is_decoded_is_the_page_that_the_document_is(
    form: Callable[[], Form[object]], first: bytes, body: bytes
) -> None:
    both(form(), body)
    experienced = form()
    understood(experienced, first)
    both(experienced, body)


def understood(form: Form[object], body: bytes) -> Page[object] | None:
    document = answers.json_object(body)
    try:
        return None if document is None else form.understood(document)
    except ReadError:
        return None


SPELLED = st.sampled_from(["{0}", "\\u{1:04x}", "\\u{1:04X}"])
SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n", "\t": "\\t"}
LETTERS = st.sampled_from('ab/"\\u0041né\n')


@given(
    secret=st.text(LETTERS, min_size=answers.TELLING, max_size=answers.TELLING),
    before=st.text(LETTERS, max_size=5),
    said=st.data(),
)
def test_a_token_is_found_in_whatever_way_json_spells_it(
    secret: str, before: str, said: st.DataObject
) -> None:
    text = before + (secret if said.draw(st.booleans()) else secret[:-1]) + before
    spelled = "".join(
        SHORT.get(one, one) if way == "{0}" else way.format(one, ord(one))
        for one in text
        for way in [said.draw(SPELLED)]
    )
    body = f'{{"userName": "{spelled}"}}'.encode(said.draw(st.sampled_from(["utf-8", "utf-16", "utf-32"])))

    assert answers.repeats(Reply(200, {}, body), Token(secret)) is (secret in json.loads(body)["userName"])


@pytest.mark.parametrize(
    ("secret", "said", "found"),
    [
        ('000000000000000"', b'{"userName": "000000000000000"}', False),  # the quote ends the text
        ('000000000000000"', b'{"userName": "000000000000000\\""}', True),
        ('000000000000000"', b'{"userName": "000000000000000\\u0022"}', True),
        ("000000000000000/", b'{"userName": "000000000000000\\/"}', True),
        ("0000000000000000", b'{"userName": "000000000000000\\u0030"}', True),
        ("000000000000u000", b'{"userName": "000000000000\\\\u000"}', False),
    ],
)
def test_a_token_is_found_where_a_text_of_json_holds_it(secret: str, said: bytes, found: bool) -> None:
    assert answers.repeats(Reply(200, {}, said), Token(secret)) is found


def page_of(*resources: dict[str, object]) -> bytes:
    return json.dumps(
        {"schemas": [wire.LIST_SCHEMA], "totalResults": len(resources), "Resources": resources}
    ).encode()


ADA: dict[str, object] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "id": "u-ada",
    "externalId": "00u1",
    "userName": "ada@acme.example",
    "displayName": "",
    "active": True,
    "emails": [{"value": "ada@acme.example", "type": "work", "primary": True}],
    "roles": [{"value": "org-admin", "$ref": "x"}],
    "groups": [{"value": "g-web", "$ref": "../Groups/g-web"}],
    "meta": {"resourceType": "User", "version": 'W/"1"'},
}
WEB: dict[str, object] = {
    "id": "g-web",
    "displayName": "web",
    "members": [{"value": "u-ada", "type": "User"}],
}


@pytest.mark.parametrize(
    ("form", "resource"),
    [(decoding.people, ADA), (decoding.groups, WEB), (decoding.identifiers, ADA)],
    ids=["people", "groups", "identifiers"],
)
def test_what_is_spelled_as_the_rfc_spells_it_is_decoded(
    form: Callable[[], Form[object]], resource: dict[str, object]
) -> None:
    assert form().decoded(page_of(resource)) == form().understood(json.loads(page_of(resource)))


def test_attributes_that_a_server_adds_are_learned_wherever_they_are() -> None:
    form = decoding.people()
    more = {"urn:acme:badge": {"no": 7}, "emails": [{"value": "a@acme.example", "urn:acme:seen": True}]}
    body = page_of(ADA | more)

    assert form.decoded(body) is None
    learned = form.understood(json.loads(body))
    assert form.decoded(body) == learned


@pytest.mark.parametrize("name", ["Roles", "ROLES", "roleſ", "Active", "username"])
def test_another_spelling_of_what_is_needed_is_never_skipped(name: str) -> None:
    form = decoding.people()
    body = page_of(ADA | {name: None})

    form.understood(json.loads(body))
    assert form.decoded(body) is None


def test_a_server_that_adds_a_new_attribute_to_everybody_is_learned_from_only_so_far() -> None:
    form = decoding.people()
    for number in range(5):
        body = page_of(*({**ADA, f"x{number}-{one}": 1, "id": f"u{one}"} for one in range(100)))
        form.understood(json.loads(body))

    assert form.decoded(body) is None
    assert form.decoded(page_of(ADA)) is not None


def test_those_who_have_the_same_roles_share_one_list_of_them() -> None:
    page = decoding.people().decoded(page_of(ADA, ADA | {"id": "u-bob", "userName": "bob"}))

    assert page is not None
    ada, bob = page.resources
    assert ada.roles is bob.roles
    assert ada.groups is bob.groups


def test_a_group_of_groups_is_decoded_with_what_each_member_is() -> None:
    members = [{"value": "u", "$ref": "https://x/Users/u"}, {"value": "h", "type": "Group"}, {"value": "?"}]
    body = page_of({"id": "g", "displayName": "all", "members": members})

    page = decoding.groups().decoded(body)
    assert page is not None
    assert page.resources == (
        Group("g", "all", frozenset({"u"}), (wire.Reference("h", True), wire.Reference("?"))),
    )
