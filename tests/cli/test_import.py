"""`reconciler import`: what it writes plans empty, replaces nothing, and says what it can't say."""

from pathlib import Path
from typing import Any

import pytest
from cli.in_memory import IN_GROUPS, Ran, alone, many, ran
from cli.small_world import acme
from scim.fake_server import FakeServer, group, user

from reconciler.cli import import_
from reconciler.errors import SettingsError
from reconciler.policy import source

NAMES = [
    "yes",
    "null",
    "12",
    "1e3",
    "0x1",
    "~",
    "a: b",
    "a #b",
    "- a",
    "*a",
    "&a",
    "!a",
    "{a}",
    "[a",
    '"a',
    "'a",
    "a,b",
    "a\\b",
    "2026-11-26",
    "Zoë 🦄",
    "=",
    "<<",
    "a:",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


def plan(server: FakeServer, *path: str) -> Ran:
    return ran(server, "plan", "--exit-code", *path)


def world(**changes: Any) -> FakeServer:
    """Ada and Bob by their group, Cleo and Dan by none."""
    people = [
        user("ada", "org-admin"),
        user("bob", "org-admin"),
        user("cleo", "org-viewer", "project-admin:storefront"),
        user("dan", "project-viewer:x1", "gadget"),
    ]
    return FakeServer(people, [group("platform", "ada", "bob"), group("eng-web", "cleo", "dan")], **changes)


def test_what_is_imported_plans_empty_and_reads_like_a_policy() -> None:
    server = world()
    done = ran(server, "import", "acme")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "policies/acme: 3 files, 2 projects, mode report",
        "1 group explains roles; 2 people with roles that no group explains",
        "a plan of it shows no drift",
    ]
    assert Path("policies/acme/groups.yaml").read_text(encoding="utf-8") == (
        "version: 1\nbindings:\n  # 2 people\n  - group: platform\n    organization: admin\n"
    )
    people = Path("policies/acme/people.yaml").read_text(encoding="utf-8")
    assert (
        "  - user: cleo@acme.example\n    organization: viewer\n    projects: {storefront: admin}\n" in people
    )
    assert "  - user: dan@acme.example\n    projects: {x1: viewer}\n" in people
    assert plan(server).code == 0
    assert server.writes == []


def test_nothing_that_is_there_is_replaced_unasked() -> None:
    mine = Path("policies/acme/mine.yaml")
    mine.parent.mkdir(parents=True)
    mine.write_text("version: 1\n", encoding="utf-8")
    refused = ran(world(), "import", "acme")
    assert refused.code == 2
    assert refused.err.splitlines() == [
        "error: policies/acme/mine.yaml is there already",
        "hint: import into another folder with --out, or replace files with --overwrite",
    ]
    assert ran(world(), "import", "acme", "--overwrite").code == 0
    assert mine.read_text(encoding="utf-8") == "version: 1\n"
    assert len(list(mine.parent.iterdir())) == 4


def test_what_cannot_be_written_is_told() -> None:
    Path("policies/acme/people.yaml").mkdir(parents=True)
    refused = ran(world(), "import", "acme", "--overwrite")
    assert refused.code == 2
    assert refused.err == "error: could not write policies/acme/people.yaml: File exists\n"


def test_a_project_can_be_picked_and_named() -> None:
    server = world()
    assert ran(server, "import", "acme", "--project", "checkout=x1").code == 0
    found = source.load(Path("policies/acme")).organization
    assert (dict(found.projects), found.organization_roles_managed) == ({"checkout": "x1"}, False)
    assert plan(server).code == 0


def test_a_group_can_be_picked() -> None:
    server = world()
    assert ran(server, "import", "acme", "--group", "ENG-web").code == 0
    assert not Path("policies/acme/groups.yaml").exists()
    assert plan(server).code == 0


def test_roles_that_are_groups_are_imported_too() -> None:
    server = many(in_groups=True)
    done = ran(server, "import", "acme", "--stored-as", "groups")
    assert done.code == 0
    assert IN_GROUPS.split('"')[1] in Path("policies/acme/organization.yaml").read_text(encoding="utf-8")
    assert [b.group.name for b in source.load(Path("policies/acme")).bindings] == ["platform"]
    assert "not active, so a policy gives them nothing: gil@acme.example" in done.out


def test_names_that_yaml_would_take_for_something_else_come_back_as_they_are() -> None:
    people = [user(f"p{n}", "org-viewer", userName=name) for n, name in enumerate(NAMES)]
    teams = [group(name, f"q{2 * n}", f"q{2 * n + 1}", id=f"g-{n}") for n, name in enumerate(NAMES)]
    members = [user(f"q{n}", "org-viewer") for n in range(2 * len(NAMES))]
    server = FakeServer([*people, *members], teams)
    assert ran(server, "import", "acme").code == 0
    policy = source.load(Path("policies/acme"))
    assert sorted(binding.group.name for binding in policy.bindings) == sorted(NAMES)
    assert sorted(grant.user for grant in policy.grants) == sorted(NAMES)
    assert plan(server).code == 0


def test_two_groups_of_one_name_are_told_apart_by_their_ids() -> None:
    people = [user(name, "org-viewer") for name in ("ada", "bob", "cleo", "dan")]
    server = FakeServer(people, [group("eng", "ada", "bob", id="1"), group("eng", "cleo", "dan", id="2")])
    assert ran(server, "import", "acme").code == 0
    assert [b.group.id for b in source.load(Path("policies/acme")).bindings] == ["1", "2"]
    assert plan(server).code == 0


def test_many_groups_are_told_apart_by_how_their_names_begin() -> None:
    people = [user(f"p{n}", "org-viewer") for n in range(100)]
    teams = [group(f"{'eng' if n % 2 else 'ops'}-{n}", f"p{2 * n}", f"p{2 * n + 1}") for n in range(49)]
    server = FakeServer(people, [*teams, group("solo", "p98", "p99")])
    assert ran(server, "import", "acme").code == 0
    files = {str(path.relative_to("policies/acme")) for path in Path("policies/acme").rglob("*.yaml")}
    assert files == {"organization.yaml", "groups.yaml", "groups/eng.yaml", "groups/ops.yaml"}
    assert plan(server).code == 0


def test_what_is_no_name_for_a_file_of_bindings_leaves_its_groups_in_the_one_for_all() -> None:
    people = [user(f"p{n}", "org-viewer") for n in range(100)]
    beginnings = ("organization", "q" * 251)
    teams = [group(f"{beginnings[n % 2]}-{n}", f"p{2 * n}", f"p{2 * n + 1}") for n in range(50)]
    server = FakeServer(people, teams)
    assert ran(server, "import", "acme").code == 0
    files = {str(path.relative_to("policies/acme")) for path in Path("policies/acme").rglob("*.yaml")}
    assert files == {"organization.yaml", "groups.yaml"}
    assert plan(server).code == 0


def test_the_file_that_cannot_be_written_is_the_one_that_is_named_and_no_other_stays() -> None:
    with pytest.raises(SettingsError) as refused:
        import_.write(Path("acme"), {"organization.yaml": "1", "web.yaml": "2", "web.yaml/below.yaml": "3"})
    assert refused.value.message == "could not write acme/web.yaml: Is a directory"
    assert [path for path in Path("acme").rglob("*") if path.is_file()] == []


def test_people_whom_a_policy_could_not_name_are_told_and_keep_what_a_group_explains() -> None:
    people = [
        user("ada", "org-admin"),
        user("bob", "org-admin", userName=" bob"),
        user("cleo", "org-viewer", userName="cleo\u200b"),
    ]
    server = FakeServer(people, [group("platform", "ada", "bob")])
    done = ran(server, "import", "acme")
    assert (done.code, done.out.splitlines()[1:]) == (
        0,
        [
            "1 group explains roles; 0 people with roles that no group explains",
            "roles by no group, and a userName that no policy can be sure of: cleo\\u200b",
            "a plan of it shows 1 person changing",
        ],
    )


def test_where_no_role_is_spelled_so_that_is_said() -> None:
    done = ran(acme(), "import", "acme", "--organization-role", "x-{role}")
    assert (done.code, done.out.splitlines()[2]) == (
        0,
        "nobody has a role, as far as roles are spelled so: see --stored-as, --organization-role",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Acme"], "'Acme' is no name of an organization"),
        (["a" * 64], f"'{'a' * 64}' is no name of an organization"),
        (["acme", "--project", "storefrnt"], "a project 'storefrnt', did you mean 'storefront'?"),
        (["acme", "--group", "platfrom"], "the server has no group 'platfrom', did you mean 'platform'?"),
        (["acme", "--project-role", "{role}"], "'{role}' must have {role} and {project}, and no other brace"),
        (["acme", "--organization-role", "{role}{x}"], "'{role}{x}' must have {role}, and no other brace"),
        (["acme", "--project", "a=x1", "--project", "b=X1"], "--project b=X1: another --project has"),
        (["acme", "--project", "a=x1", "--project", "A=storefront"], "--project A=storefront: another"),
        (["acme", "--expires", "2020-01-01"], "--expires 2020-01-01T23:59:59Z is over"),
        (["acme", "--out", "file"], "file is no folder"),
        (["acme", "--out", "file/below"], "could not write file/below/organization.yaml: Not a directory"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_written(arguments: list[str], words: str) -> None:
    Path("file").touch()
    refused = ran(world(), "import", *arguments)
    assert refused.code == 2
    assert words in refused.err
    assert sorted(map(str, Path().iterdir())) == ["file"]


def test_a_server_that_cannot_be_read_whole_imports_nothing() -> None:
    people = [user("ada", "org-admin"), user("ADA2", "org-admin", userName="Ada@acme.example")]
    refused = ran(FakeServer(people, [group("platform", "ada")]), "import", "acme")
    assert (refused.code, list(Path().iterdir())) == (7, [])


def test_a_link_is_replaced_and_not_what_it_leads_to() -> None:
    kept = Path("kept.txt")
    kept.write_text("mine\n", encoding="utf-8")
    link = Path("policies/acme/people.yaml")
    link.parent.mkdir(parents=True)
    link.symlink_to(kept.absolute())
    assert ran(world(), "import", "acme", "--overwrite").code == 0
    assert (kept.read_text(encoding="utf-8"), link.is_symlink()) == ("mine\n", False)


def test_where_one_file_cannot_be_written_the_others_stay_as_they_were() -> None:
    folder = Path("policies/acme")
    (folder / "people.yaml").mkdir(parents=True)
    (folder / "groups.yaml").write_text("mine\n", encoding="utf-8")
    assert ran(world(), "import", "acme", "--overwrite").code == 2
    assert (folder / "groups.yaml").read_text(encoding="utf-8") == "mine\n"
    assert sorted(path.name for path in folder.iterdir()) == ["groups.yaml", "people.yaml"]
