"""What a seed file says, and what is said of a seed file with mistakes."""

from pathlib import Path

import pytest

from reconciler.errors import ExitCode, SettingsError
from reconciler.sandbox import seed
from reconciler.sandbox.seed import Group, Person, Seed

EVERYTHING = """\
projects: [storefront]
other_roles: [billing-reader]
people:
  ada@acme.example: {name: Ada Byron, roles: [org-admin, billing-reader], external_id: 00u1}
  Bob@acme.example: {id: u-bob, active: false, roles: ["project-viewer:storefront"]}
  cleo@acme.example: {active: null}
  dan@acme.example:
groups:
  eng-web: [ada@acme.example, bob@acme.example]
  sre: {id: g-sre, external_id: 00g1, members: [cleo@acme.example]}
  empty:
"""


def test_a_seed_holds_what_its_file_says() -> None:
    assert seed.parse(EVERYTHING, "seed.yaml") == Seed(
        people={
            "ada@acme.example": Person("Ada Byron", ("org-admin", "billing-reader"), "00u1"),
            "Bob@acme.example": Person(roles=("project-viewer:storefront",), active=False, id="u-bob"),
            "cleo@acme.example": Person(active=None),
            "dan@acme.example": Person(),
        },
        groups={
            "eng-web": Group(("ada@acme.example", "bob@acme.example")),
            "sre": Group(("cleo@acme.example",), external_id="00g1", id="g-sre"),
            "empty": Group(),
        },
        projects=frozenset({"storefront"}),
        other_roles=frozenset({"billing-reader"}),
    )


def test_an_empty_seed_is_an_organization_without_anybody() -> None:
    assert seed.parse("", "seed.yaml") == Seed()


MISTAKES = {
    "an unknown key": (
        "people: {}\nteams: {}",
        "seed.yaml:2:1 teams: unknown key teams; known are groups, other_roles, people, projects",
    ),
    "an unknown key of a person": (
        "people:\n  ada: {rolls: []}",
        "seed.yaml:2:9 people.ada.rolls: unknown key rolls; known are active, external_id, id, name, roles",
    ),
    "an unknown role": (
        "people:\n  ada: {roles: [org-owner]}",
        "seed.yaml:2:17 people.ada.roles[0]: unknown role 'org-owner'; "
        "list it in other_roles if it is not CircleCI's",
    ),
    "an unknown project": (
        "projects: [web]\npeople:\n  ada: {roles: ['project-admin:wob']}",
        "seed.yaml:3:17 people.ada.roles[0]: unknown project in role 'project-admin:wob'; "
        "list it in other_roles if it is not CircleCI's",
    ),
    "an unknown member": (
        "groups:\n  web: [ada]",
        "seed.yaml:2:9 groups.web[0]: ada is not among the people",
    ),
    "an unknown member of a group in the long form": (
        "groups:\n  web:\n    members: [ada]",
        "seed.yaml:3:15 groups.web.members[0]: ada is not among the people",
    ),
    "a member named twice": (
        "people: {ada: }\ngroups:\n  web: [ada, Ada]",
        "seed.yaml:3:14 groups.web[1]: Ada is in the group already",
    ),
    "two userNames that differ in case": (
        "people:\n  ada:\n  Ada:",
        "seed.yaml:3:3 people.Ada: is the same userName as ada",
    ),
    "an id given twice": (
        "people:\n  ada: {id: u1}\n  bob: {id: u1}",
        "seed.yaml:3:9 people.bob.id: is the id of ada",
    ),
    "a list where people stand": ("people: [ada]", "seed.yaml:1:1 people: must be a mapping"),
    "text where a list stands": (
        "people:\n  ada: {roles: org-admin}",
        "seed.yaml:2:9 people.ada.roles: must be a list",
    ),
    "a number where text stands": (
        "people:\n  ada: {external_id: 1}",
        "seed.yaml:2:9 people.ada.external_id: must be text; put it in quotes",
    ),
    "active that is neither true nor false": (
        "people:\n  ada: {active: maybe}",
        "seed.yaml:2:9 people.ada.active: must be true or false, or null where the server does not say",
    ),
    "a person written twice": (
        "people:\n  ada: {}\n  ada: {}",
        "seed.yaml:3:3 people.ada: the key 'ada' was used before, in line 2; "
        "put both under one key, or delete one",
    ),
}


@pytest.mark.parametrize(("text", "line"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_with_its_place(text: str, line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        seed.parse(text, "seed.yaml")
    assert caught.value.message == f"cannot use the seed seed.yaml:\n  {line}"
    assert caught.value.hint == "docs/sandbox.md shows how a seed is written"
    assert caught.value.exit_code == ExitCode.USAGE


def test_all_mistakes_are_reported_together_in_the_order_of_the_file() -> None:
    with pytest.raises(SettingsError) as caught:
        seed.parse("groups: {web: [bob]}\npeople: {ada: {roles: [boss, no]}}", "seed.yaml")
    places = [line.split(": ")[0].strip() for line in caught.value.message.splitlines()[1:]]
    assert places == [
        "seed.yaml:1:16 groups.web[0]",
        "seed.yaml:2:24 people.ada.roles[0]",
        "seed.yaml:2:30 people.ada.roles[1]",
    ]


def test_what_is_no_yaml_is_refused_with_its_place() -> None:
    with pytest.raises(SettingsError, match=r"seed\.yaml:2:1 people: this is not YAML"):
        seed.parse("people: {\n", "seed.yaml")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file or directory"), (b"name: \xff", "it is not UTF-8")],
    ids=["missing", "not UTF-8"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "seed.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        seed.load(file)
    assert caught.value.message == f"cannot read the seed {file}: {words}"
