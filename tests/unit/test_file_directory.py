"""An export of the identity provider: read whole and believed, or refused with the place and the reason."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.directories.file.directory import FileDirectory
from reconciler.errors import ReadError, SettingsError
from reconciler.model import DirectoryGroup, Member, Membership
from reconciler.policy.document import AttributeNames, DirectoryKind, DirectorySettings, GroupRef
from reconciler.settings.export import export_file

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ADA = Member(external_id="00u1", user_name="ada@acme.example", active=True, email="ada@acme.example")
BOB = Member(
    user_name="Bob",
    active=False,
    status="SUSPENDED",
    since=datetime(2026, 11, 20, tzinfo=UTC),
    display_name="Bob B.",
    attributes=(("contractEnd", "2027-01-31"), ("userType", "Contractor")),
)
EVE = Member(user_name="eve")

DOCUMENT: Mapping[str, Any] = {
    "format": "reconciler.directory/1",
    "exported": "2026-11-26T06:00:00Z",
    "groups": [
        {
            "name": "eng-web",
            "id": "g1",
            "members": ["ADA@acme.example", {"user_name": "bob", "active": False}],
        },
        {"name": "ops", "id": "g2", "members": []},
    ],
    "people": [
        {"user_name": "ada@acme.example", "external_id": "00u1", "active": True, "email": "ada@acme.example"},
        {
            "user_name": "Bob",
            "status": "SUSPENDED",
            "since": "2026-11-20",
            "display_name": "Bob B.",
            "attributes": {"userType": "Contractor", "contractEnd": "2027-01-31"},
        },
        {"user_name": "eve"},
    ],
}
YAML = """\
# yaml-language-server: $schema=directory.schema.json
format: reconciler.directory/1
exported: 2026-11-26T06:00:00Z
groups:
  - name: eng-web
    id: g1
    members:
      - ADA@acme.example
      - {user_name: bob, active: false}
  - {name: ops, id: g2, members: []}
people:
  - {user_name: ada@acme.example, external_id: 00u1, active: true, email: ada@acme.example}
  - user_name: Bob
    status: SUSPENDED
    since: 2026-11-20
    display_name: Bob B.
    attributes: {userType: Contractor, contractEnd: 2027-01-31}
  - user_name: eve
...
"""
HEAD = "# format: reconciler.directory/1\n# exported: 2026-11-26T06:00:00Z\n"
CSV = (
    HEAD + "# rows: 4\n"
    "# people: all\n"
    "group,group_id,user_name,external_id,active,status,since,display_name,email,userType,contractEnd\n"
    "eng-web,g1,ada@acme.example,00u1,TRUE,,,,ada@acme.example,,\n"
    'eng-web,g1,Bob,,false,SUSPENDED,2026-11-20,"Bob B.",,Contractor,2027-01-31\n'
    "ops,g2,,,,,,,,,\n"
    ",,eve,,,,,,,,\n"
)
CUT = "was it cut short? write an export to another file, then rename it"


def table(
    *rows: str, columns: str = "group,user_name,email", number: int | None = None, head: str = ""
) -> str:
    count = len(rows) if number is None else number
    return f"{HEAD}# rows: {count}\n{head}{columns}\n" + "".join(f"{row}\n" for row in rows)


def written(folder: Path, text: str | bytes, name: str = "idp.json") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def document(**changes: Any) -> str:
    return json.dumps({**DOCUMENT, **changes}, indent=1)


def read(
    path: Path, *names: str, settings: DirectorySettings | None = None, now: datetime = NOW
) -> Membership:
    settings = settings or DirectorySettings(DirectoryKind.FILE)
    return FileDirectory(path, settings, lambda: now).read([GroupRef(name) for name in names], everybody=True)


def fails(path: Path, **others: Any) -> tuple[str, str]:
    """What is said of a file that is refused, with its folder left out, and what to do."""
    with pytest.raises(ReadError) as caught:
        read(path, "eng-web", **others)
    prefix = "the directory's export can't be used: "
    return caught.value.message.removeprefix(prefix).replace(f"{path.parent}/", ""), caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("idp.json", document()),
        ("IDP.JSON", document()),
        ("idp.yaml", YAML),
        ("idp.yml", YAML),
        ("idp.csv", CSV),
    ],
)
def test_every_notation_means_the_same(name: str, text: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, text, name), "ENG-web", "ops", "unknown") == Membership(
        (
            DirectoryGroup("g1", "eng-web", frozenset({ADA, BOB})),
            DirectoryGroup("g2", "ops", frozenset()),
        ),
        frozenset({"eng-web", "ops"}),
        frozenset({ADA, BOB, EVE}),
    )


def test_windows_line_ends_make_no_difference(tmp_path: Path) -> None:
    texts = {"a.json": document(), "b.yaml": YAML, "c.csv": CSV}
    found = [read(written(tmp_path, text.replace("\n", "\r\n"), name)) for name, text in texts.items()]
    assert found == [read(written(tmp_path, document()))] * 3


def test_a_group_is_meant_by_its_id_its_name_or_an_earlier_one(tmp_path: Path) -> None:
    directory = FileDirectory(written(tmp_path, document()), DirectorySettings(), lambda: NOW)
    for ref in (GroupRef("x", id="g2"), GroupRef("OPS"), GroupRef("new", previously=("Ops",))):
        assert [group.name for group in directory.read([ref]).groups] == ["ops"]


def test_a_name_is_no_id_where_there_are_none(tmp_path: Path) -> None:
    path = written(tmp_path, document(groups=[{"name": "g9", "members": []}]))
    directory = FileDirectory(path, DirectorySettings(), lambda: NOW)
    assert directory.read([GroupRef("eng-web", id="g9")]).groups == ()
    assert [group.name for group in directory.read([GroupRef("g9")]).groups] == ["g9"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("idp.json", json.dumps({key: value for key, value in DOCUMENT.items() if key != "people"})),
        ("idp.csv", table("eng-web,ada,")),
    ],
)
def test_who_is_not_said_to_be_everybody_is_not(name: str, text: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, text, name)).people is None


def test_everybody_is_told_only_to_who_asks(tmp_path: Path) -> None:
    directory = FileDirectory(written(tmp_path, document()), DirectorySettings(), lambda: NOW)
    assert (directory.read([]).people, directory.failures()) == (None, ())


def test_the_policy_says_which_attributes_count(tmp_path: Path) -> None:
    people = [
        {"user_name": "ada", "email": "a@x", "attributes": {"upn": "Ada@x", "nick": "A", "mail": "b@x"}}
    ]
    groups = [{"name": "eng-web", "members": ["ada"]}]
    names = AttributeNames(user_name="upn", display_name="nick", external_id="email", email="none")
    found = read(
        written(tmp_path, document(groups=groups, people=people)),
        settings=DirectorySettings(DirectoryKind.FILE, attributes=names),
    )
    attributes = (("mail", "b@x"), ("nick", "A"), ("upn", "Ada@x"))
    assert found.people == frozenset(
        {Member(user_name="Ada@x", external_id="a@x", display_name="A", attributes=attributes)}
    )


def test_every_reading_reads_anew(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    directory = FileDirectory(path, DirectorySettings(), lambda: NOW)
    directory.read([])
    written(tmp_path, document(groups=[{"name": "other", "members": []}]))
    assert directory.read([]).names == {"other"}


# How old


@pytest.mark.parametrize(
    "text", ["2026-11-25T12:00:00Z", "2026-11-25T13:00:00+01:00", "2026-11-26T12:05:00Z"]
)
def test_an_export_that_is_just_young_enough_is_taken(text: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, document(exported=text)), "ops").groups != ()


@pytest.mark.parametrize(
    ("exported", "told", "hint"),
    [
        (
            "2026-11-25T11:59:59Z",
            "2026-11-25 11:59 UTC, 24 hours ago: the policy allows 24",
            "export it anew; or raise directory.oldest in organization.yaml",
        ),
        (
            "2025-11-26T23:30:00-12:00",
            "2025-11-27 11:30 UTC, 8736 hours ago: the policy allows 24",
            "export it anew; or raise directory.oldest in organization.yaml",
        ),
        (
            "2026-11-26T12:05:01Z",
            "2026-11-26 12:05 UTC, which is yet to come",
            "`exported` is when the identity provider was asked; are the clocks right, there and here?",
        ),
    ],
)
def test_an_export_that_is_too_old_or_of_the_future_is_refused(
    exported: str, told: str, hint: str, tmp_path: Path
) -> None:
    path = written(tmp_path, document(exported=exported))
    assert fails(path) == (f"the directory's export idp.json says that it is of {told}", hint)


@pytest.mark.parametrize("name", ["idp.json", "idp.csv"])
def test_how_new_the_file_itself_is_proves_nothing(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, CSV if name.endswith("csv") else document(), name)
    os.utime(path, (1, 1))
    assert read(path).names == {"eng-web", "ops"}
    os.utime(path)
    assert fails(path, now=NOW + timedelta(days=2))[0].endswith("54 hours ago: the policy allows 24")


def test_the_policy_says_how_old_it_may_be(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    settings = DirectorySettings(DirectoryKind.FILE, oldest=6)
    assert read(path, settings=settings).names == {"eng-web", "ops"}
    assert (
        "6 hours ago: the policy allows 6"
        in fails(path, settings=settings, now=NOW + timedelta(seconds=1))[0]
    )


# Not whole, not text, not of the form


def cut(text: str, at: str) -> str:
    return text[: text.index(at)]


Cases = dict[str, tuple[str | bytes, str, str | None]]
"""What a file holds, the beginning of what is said of it, and the hint; None: that of the schema's words."""

WRONG_JSON: Cases = {
    "empty": ("", "idp.json:1:1: this is not JSON: expecting value", CUT),
    "cut": (cut(document(), '"people"'), "idp.json:22:2: this is not JSON: ", CUT),
    "two documents": (document() + "{}", "idp.json:43:2: this is not JSON: extra data", CUT),
    "no object": ("[]", "idp.json:1:1: a list stands where an export of a directory belongs", None),
    "nothing": ("null", "idp.json:1:1: the file is empty", "export it anew"),
    "nan": (document(groups=float("nan")), "idp.json: this is not JSON: NaN is no number", None),
    "deep": ("[" * 200_000, "idp.json: it is nested too deeply", None),
    "half a character": (
        document(groups=[{"name": "\ud83d", "members": []}]),
        "idp.json: an escape in it is half a character",
        "export it as UTF-8",
    ),
    "key twice": (
        '{\n "format": "reconciler.directory/1",\n "groups": [\n  {"name": "a", "members": [{}, []],\n'
        '   "name": "b"}]}',
        "idp.json:5:4 groups[0].name: the key 'name' was used before, in line 4",
        "delete one of the two",
    ),
}
WRONG_YAML: Cases = {
    "cut between two lines": (
        cut(YAML, "  - user_name: eve"),
        "idp.yaml:17:1: the file does not end with a line `...`, so nobody can tell whether it is all",
        CUT,
    ),
    "no end": (
        YAML.removesuffix("...\n"),
        "idp.yaml:18:1: the file does not end with a line `...`, so nobody can tell whether it is all",
        CUT,
    ),
    "empty": ("", "idp.yaml:1:1: the file does not end", CUT),
    "an alias": (
        YAML.replace("members: []", "members: *x"),
        "idp.yaml:10:34 groups[1].members: the alias",
        None,
    ),
    "yes": (
        YAML.replace("active: true", "active: yes"),
        "idp.yaml:12:62 people[0].active: some YAML readers",
        None,
    ),
    "key twice": (YAML.replace("status:", "user_name:"), "idp.yaml:14:5 people[1].user_name: the key", None),
}
WRONG_CSV: Cases = {
    "empty": (
        "",
        "idp.csv:1:1: `# format:` is missing above the table",
        "add such as `# format: reconciler.directory/1`",
    ),
    "no age": (
        CSV.replace("# exported", "# Exported"),
        "idp.csv:2:1: unknown comment '# Exported: 2026-11-26T06:00:00Z', did you mean 'exported'?",
        "there are `# format:`, `# exported:`, `# rows:`, `# people:`",
    ),
    "no rows": (HEAD + "group,user_name\n", "idp.csv:3:1: `# rows:` is missing above the table", None),
    "comment twice": (HEAD + HEAD, "idp.csv:3:1: a second `# format:` stands here", "delete one of the two"),
    "people": (table(head="# people: some\n"), "idp.csv:4:1: `# people:` can't be 'some'", None),
    "format": (
        CSV.replace("directory/1", "directory/2"),
        "idp.csv:1:1: reconciler.directory/2 is not a format that this program reads",
        "write reconciler.directory/1",
    ),
    "cut between two rows": (cut(CSV, ",,eve"), "idp.csv:8:1: `# rows:` says '4', and there are 3", CUT),
    "cut in a row": (cut(CSV, ",,,,,,,,\n,,eve"), "idp.csv:8:1: this row has 3 cells below 11 columns", CUT),
    "cut in the last cell": (CSV.removesuffix("\n"), "idp.csv:9:1: the last row has no end", CUT),
    "cut in quotes": (cut(CSV, ' B."'), "idp.csv:7:1: this is not CSV: unexpected end of data", CUT),
    "too many rows": (table("a,b,", number=0), "idp.csv:5:1: `# rows:` says '0', and there are 1", CUT),
    "odd number": (table("a,b,").replace("rows: 1", "rows: 01"), "idp.csv:5:1: `# rows:` says '01'", None),
    "no columns": (table(columns="").removesuffix("\n"), "idp.csv:4:1: there is no column 'group'", None),
    "column twice": (
        table(columns="group,user_name,group"),
        "idp.csv:4:1: two columns are called 'group'",
        None,
    ),
    "nearly a column": (
        table(columns="group,User Name"),
        "idp.csv:4:1: unknown column 'User Name', did you mean 'user_name'?",
        "rename it",
    ),
    "column without a name": (
        table("a,b,c", columns="group,user_name,"),
        "idp.csv:5:1: '' cannot be an attribute",
        "write for example `employeeType`",
    ),
    "active": (
        table("a,b,yes", columns="group,user_name,active"),
        "idp.csv:5:1 active: active can't be 'yes'",
        "write true, false or nothing",
    ),
    "nobody": (table(",,"), "idp.csv:5:1: this row names neither a group nor a person", "delete it"),
    "who": (table("a,,a@x"), "idp.csv:5:1 user_name: this row tells of a person and not who", None),
    "id alone": (
        table("g1,", columns="group_id,user_name,group").replace("g1,", "g1,a,"),
        "idp.csv:5:1 group",
        None,
    ),
    "no group": (
        table("a,b,", ",eve,"),
        "idp.csv:6:1 group: this row has no group, and nothing says that everybody is listed",
        "add `# people: all` above the table if so, or delete the row",
    ),
    "alone and not": (
        table(",eve,", "a,EVE,", head="# people: all\n"),
        "idp.csv:7:1 group: 'EVE' stands in a row without a group, and in another",
        None,
    ),
    "alone twice": (
        table("a,b,", ",eve,", ",eve,", head="# people: all\n"),
        "idp.csv:8:1 group: 'eve' stands",
        None,
    ),
    "empty and not": (
        table("a,,", "a,b,"),
        "idp.csv:6:1 group: a row without a person says that nobody is",
        None,
    ),
    "twice empty": (
        table("a,,", "A,,"),
        "idp.csv:6:1 group: a row without a person says that nobody is",
        None,
    ),
    "blank around": (table(" a,b,"), "idp.csv:5:1 group: the group's name begins or ends with a blank", None),
    "line break": (
        table('"a","b","c\nd"', "x,y,", number=2),
        "idp.csv:6:1 email: the email holds a line break",
        None,
    ),
    "huge cell": (
        table(f"a,b,{'x' * 200_000}"),
        "idp.csv:5:1: this is not CSV: field larger than field limit",
        CUT,
    ),
    "no group at all": (
        table(",eve,", head="# people: all\n"),
        "idp.csv groups: the list of groups is empty",
        None,
    ),
}
WRONG_TEXT: Cases = {
    "bom": (
        b"\xef\xbb\xbf" + CSV.encode(),
        "idp.csv:1:1: a byte order mark stands here",
        "export it as UTF-8 without",
    ),
    "utf-16": (CSV.encode("utf-16"), "idp.csv:1:1: the byte 0xff is not UTF-8 and looks like UTF-16", None),
    "latin": (
        CSV.replace("Bob B.", "Bób").encode("latin-1"),
        "idp.csv:7:46: the byte 0xf3 is not UTF-8 and looks like another encoding",
        "export it as UTF-8",
    ),
    "nul": (CSV.replace("eve", "e\0e"), "idp.csv:9:4: the control character U+0000 stands here", None),
    "escape": (CSV.replace("eve", "\x1b[2J"), "idp.csv:9:3: the control character U+001B stands here", None),
    "direction": (
        CSV.replace("eve", "\u202eeve"),
        "idp.csv:9:1 user_name: the user_name holds the invisible",
        None,
    ),
}


@pytest.mark.parametrize(
    ("suffix", "text", "told", "hint"),
    [
        pytest.param(suffix, *case, id=f"{suffix} {name}")
        for suffix, cases in {
            "json": WRONG_JSON,
            "yaml": WRONG_YAML,
            "csv": {**WRONG_CSV, **WRONG_TEXT},
        }.items()
        for name, case in cases.items()
    ],
)
def test_what_is_not_whole_or_no_export_is_refused_at_its_place(
    suffix: str, text: str | bytes, told: str, hint: str | None, tmp_path: Path
) -> None:
    message, said = fails(written(tmp_path, text, f"idp.{suffix}"))
    assert (message[: len(told)], said) == (told, said if hint is None else hint)
    assert said


def test_cut_anywhere_no_export_is_taken(tmp_path: Path) -> None:
    for name, text in {"idp.json": document(), "idp.yaml": YAML, "idp.csv": CSV}.items():
        for length in range(len(text) - 1):
            with pytest.raises(ReadError):
                read(written(tmp_path, text[:length], name))


# Contradictions


def member(**facts: Any) -> dict[str, Any]:
    return {"groups": [{"name": "a", "members": [{"user_name": "Bob", **facts}]}]}


CONTRADICTIONS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "unknown key": ({"peple": []}, "43:2 peple: unknown key 'peple'", "the keys here are"),
    "no group": ({"groups": []}, "4:2 groups: the list of groups is empty", "write for example `[{name: "),
    "nobody": (
        {"people": []},
        "22:2 people: the list of people is empty",
        "write for example `[{user_name: ",
    ),
    "null": (
        {"people": None},
        "22:2 people: nothing stands where a list of people belongs",
        "write for example",
    ),
    "no such day": (
        {"exported": "2026-02-30T06:00:00Z"},
        "3:2 exported: the time '2026-02-30T06:00:00Z' is on a day that no calendar has",
        "write such as 2026-11-26T06:00:00Z",
    ),
    "no zone": (
        {"exported": "2026-11-26T06:00:00"},
        "3:2 exported: '2026-11-26T06:00:00' cannot be a moment",
        "write for example `2026-11-26T06:00:00Z`",
    ),
    "text for truth": (
        member(active="false"),
        "10:6 groups[0].members[0].active: the text 'false' stands",
        "",
    ),
    "number": (member(external_id=7), "10:6 groups[0].members[0].external_id: the number 7", ""),
    "since": (
        member(since="soon"),
        "10:6 groups[0].members[0].since: the time 'soon' is not a date or a time",
        "",
    ),
    "attribute": (
        member(attributes={"a": None}),
        "11:7 groups[0].members[0].attributes.a: nothing stands where a value belongs",
        "write for example",
    ),
    "listed twice": (
        {"people": [*DOCUMENT["people"], {"user_name": "EVE"}]},
        "42:3 people[3]: 'EVE' is listed twice, also in line 39",
        "correct the export",
    ),
    "in a group twice": (
        {"groups": [{"name": "a", "members": ["Eve", "eve"]}]},
        "9:5 groups[0].members[1]: 'eve' is in the group 'a' twice",
        "delete one of the two",
    ),
    "not among the people": (
        {"groups": [{"name": "a", "members": ["mal"]}]},
        "8:5 groups[0].members[0]: 'mal' is in a group, and not among the people",
        "list everybody under `people`, or leave that key out",
    ),
    "other fact": (
        member(status="ACTIVE"),
        "10:6 groups[0].members[0].status: status of 'Bob' is 'ACTIVE' here, and 'SUSPENDED' in line 24",
        "correct the export",
    ),
    "other attribute": (
        member(attributes={"userType": "Employee"}),
        "11:7 groups[0].members[0].attributes.userType: attributes.userType of 'Bob' is 'Employee' here",
        "correct the export",
    ),
    "same externalId": (
        member(external_id="00u1"),
        "10:6 groups[0].members[0].external_id: 'Bob' and 'ada@acme.example' have the same external_id",
        "correct the export",
    ),
    "same id": (
        {"groups": [{"name": "a", "id": "1", "members": []}, {"name": "b", "id": "1", "members": []}]},
        "12:4 groups[1].id: another group has the id '1', too, in line 5",
        "put all members into one group",
    ),
    "same name": (
        {"groups": [{"name": "a", "members": []}, {"name": "A", "members": []}]},
        "10:4 groups[1].name: another group has the name 'A', too, in line 5",
        "put all members into one group",
    ),
    "ids in part": (
        {"groups": [{"name": "a", "id": "1", "members": []}, {"name": "b", "members": []}]},
        "10:3 groups[1]: some groups have an id and some have none",
        "give an id to every group, or to none",
    ),
}


@pytest.mark.parametrize(("changes", "told", "hint"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_contradicts_itself_is_refused_at_its_place(
    changes: dict[str, Any], told: str, hint: str, tmp_path: Path
) -> None:
    message, said = fails(written(tmp_path, document(**changes)))
    assert (message[: len(told) + 9], said[: len(hint)]) == (f"idp.json:{told}", hint)
    assert said


def test_two_groups_of_one_name_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    groups = [{"name": "a", "id": "1", "members": []}, {"name": "A", "id": "2", "members": ["eve"]}]
    found = read(written(tmp_path, document(groups=groups)), "a").groups
    assert [(group.id, group.members) for group in found] == [("1", frozenset()), ("2", frozenset({EVE}))]


def test_rows_of_one_person_add_up_and_may_not_differ(tmp_path: Path) -> None:
    rows = table("a,ada,", "b,ADA,a@x", "c,ada,")
    [group] = read(written(tmp_path, rows, "idp.csv"), "a").groups
    assert group.members == frozenset({Member(user_name="ada", email="a@x")})
    assert fails(written(tmp_path, table("a,ada,b@x", "b,ADA,a@x", "c,ada,c@x"), "idp.csv")) == (
        "idp.csv:6:1 email: email of 'ada' is 'a@x' here, and 'b@x' in line 5 (and 1 more)",
        "correct the export",
    )


def test_who_has_no_user_name_by_the_policys_mapping_is_told(tmp_path: Path) -> None:
    settings = DirectorySettings(DirectoryKind.FILE, attributes=AttributeNames(user_name="upn"))
    assert fails(written(tmp_path, table("a,ada,"), "idp.csv"), settings=settings) == (
        "idp.csv:5:1: 'ada' has no attribute 'upn', which the policy takes for userName",
        "correct the export",
    )


# The file itself


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    hint = "DIRECTORY_FILE names it; has it been exported?"
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "dangling.json").symlink_to("nowhere.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    reasons = {
        "folder": "it is no regular file",
        "pipe": "it is no regular file",
        "dangling": "no such file or directory",
        "loop": "too many levels of symbolic links",
        "missing": "no such file or directory",
        "n\0l": "no path can look like that",
    }
    for name, reason in reasons.items():
        told = f"the directory's export {name}.json can't be read: {reason}"
        assert fails(tmp_path / f"{name}.json") == (told, hint)


def test_a_link_to_an_export_is_followed(tmp_path: Path) -> None:
    written(tmp_path, document(), "idp-2026-11-26.json")
    (tmp_path / "idp.json").symlink_to("idp-2026-11-26.json")
    assert read(tmp_path / "idp.json").names == {"eng-web", "ops"}


def test_a_file_that_everybody_can_change_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    path.chmod(0o664)
    read(path)
    path.chmod(0o646)
    assert fails(path) == (
        "the directory's export idp.json can be changed by every user of this machine",
        "who can change it decides who has access: chmod o-w",
    )


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "idp.csv"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    assert fails(path) == (
        "the directory's export idp.csv has more than 67,108,864 bytes",
        "export only the groups that the policy names",
    )


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    path = written(tmp_path, document())
    path.chmod(0)
    return path


@pytest.mark.usefixtures("closed", "without_privileges")
def test_a_file_that_may_not_be_read_is_told() -> None:
    assert fails(Path("idp.json"))[0] == "the directory's export idp.json can't be read: permission denied"


@pytest.mark.parametrize("name", ["idp", "idp.xml", "idp.json.gz", ".csv"])
def test_the_end_of_the_name_tells_the_notation(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path / name)
    assert (caught.value.message, caught.value.hint) == (
        f"{tmp_path / name} can't be an export of a directory: "
        "its name ends in none of .json, .yaml, .yml, .csv",
        "the end of the name tells which of JSON, YAML and CSV it is",
    )


# Where it is


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"DIRECTORY_FILE": "idp.json"}, "idp.json"),
        ({"DIRECTORY_FILE": "idp.json", "ACME_EU_DIRECTORY_FILE": "eu.csv"}, "eu.csv"),
        ({"ACME_EU_DIRECTORY_FILE": "eu.csv", "ACME_DIRECTORY_FILE": "acme.csv"}, "eu.csv"),
    ],
)
def test_the_environment_names_the_file(environ: dict[str, str], path: str) -> None:
    assert export_file("acme-eu", environ) == Path(path)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "DIRECTORY_FILE is not set"),
        ({"DIRECTORY_FILE": ""}, "DIRECTORY_FILE is empty"),
        ({"DIRECTORY_FILE": "x", "ACME_DIRECTORY_FILE": ""}, "ACME_DIRECTORY_FILE is empty"),
    ],
)
def test_without_a_file_nothing_is_guessed(environ: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        export_file("acme", environ)
    name = told.partition(" ")[0]
    assert (caught.value.message, caught.value.hint) == (
        told,
        f"set {name} to the export of the identity provider: a file in JSON, YAML or CSV",
    )
