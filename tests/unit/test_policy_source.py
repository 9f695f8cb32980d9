"""Folders of policy files: which belong to which organization, and that only PolicyError ever escapes."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import PolicyError
from reconciler.policy import source
from reconciler.policy.document import Mode

HEAD = "version: 1\norganization: acme\nmode: report\nprojects: {storefront: {}}\n"
TEAM = "version: 1\nbindings:\n  - group: eng-web\n    projects: {storefront: admin}\n"
WRONG = "version: 1\nowner: ''\n"
WRONG_OWNER = ":2:8 owner: the owner is empty; write for example `web-platform`"

EVERYTHING = """\
version: 1
owner: web
bindings:
  - group: {name: eng-web, id: "1", previously: [web]}
    organization: viewer
    projects: {storefront: admin}
grants:
  - {user: dana, organization: admin, reason: "INC-1: x", starts: 2026-11-20T09:00:00Z, expires: 2026-11-27}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


def told(*paths: str) -> list[str]:
    return [str(problem) for problem in source.load_all(map(Path, paths)).problems]


@pytest.mark.usefixtures("here")
def test_all_yaml_files_below_a_folder_make_one_policy() -> None:
    write(
        {"acme/organization.yaml": HEAD, "acme/b/c/web.YAML": TEAM, "acme/a.yml": TEAM.replace("web", "app")}
    )
    write({"acme/.git/x.yaml": "[", "acme/.draft.yaml": "[", "acme/notes.md": "["})
    policy = source.load(Path("acme"))
    assert (policy.organization.name, policy.organization.mode) == ("acme", Mode.REPORT)
    assert [(binding.group.name, binding.at.file) for binding in policy.bindings] == [
        ("eng-app", "acme/a.yml"),
        ("eng-web", "acme/b/c/web.YAML"),
    ]


@pytest.mark.usefixtures("here")
def test_every_problem_of_every_file_is_raised_at_once_sorted() -> None:
    write(
        {
            "acme/organization.yaml": HEAD + "x: 1\n",
            "acme/b.yaml": WRONG,
            "acme/a.yaml": "[",
            "acme/c.yaml": WRONG,
        }
    )
    with pytest.raises(PolicyError) as raised:
        source.load(Path("acme"))
    problems = raised.value.problems
    assert [problem.at.file for problem in problems] == [
        "acme/a.yaml",
        "acme/b.yaml",
        "acme/c.yaml",
        "acme/organization.yaml",
    ]
    assert list(problems) == sorted(problems)


@pytest.mark.usefixtures("here")
def test_organizations_are_found_at_any_depth() -> None:
    write(
        {"p/acme/organization.yaml": HEAD, "p/emea/globex/organization.yml": HEAD.replace("acme", "globex")}
    )
    assert source.find(Path("p")) == [Path("p/acme"), Path("p/emea/globex")]
    assert source.find(Path("p/acme")) == [Path("p/acme")]
    assert [policy.organization.name for policy in source.load_all([Path("p")]).policies] == [
        "acme",
        "globex",
    ]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (
            "nowhere",
            "nowhere: there is no such file or folder; give the folder of an organization, or one that",
        ),
        ("acme/web.yaml", "acme/web.yaml: a file stands where a folder belongs; give the folder of an organ"),
        (
            "acme/teams",
            "acme/teams: the folder has no organization.yaml; it is a part of 'acme': name that instead",
        ),
        ("empty", "empty: the folder has no organization.yaml; write one with `version`, `organization` and"),
    ],
)
def test_a_path_that_is_no_organization_is_refused(path: str, problem: str) -> None:
    write(
        {
            "acme/organization.yaml": HEAD,
            "acme/web.yaml": TEAM,
            "acme/teams/x.yaml": "version: 1\n",
            "empty/.x": "",
        }
    )
    with pytest.raises(PolicyError) as found:
        source.find(Path(path))
    assert str(found.value.problems[0]).startswith(problem)
    if path != "acme/teams":
        with pytest.raises(PolicyError):
            source.load(Path(path))


@pytest.mark.usefixtures("here")
def test_a_path_that_the_system_cannot_follow_is_refused() -> None:
    Path("loop").symlink_to("loop")
    with pytest.raises(PolicyError) as raised:
        source.find(Path("loop"))
    assert [str(problem) for problem in raised.value.problems] == [
        "loop: the path cannot be read: too many levels of symbolic links; check the path and the disk"
    ]
    assert told("x" * 300) == [
        f"{'x' * 300}: the path cannot be read: file name too long; check the path and the disk"
    ]


@pytest.mark.usefixtures("here")
def test_policies_are_only_given_out_where_there_is_no_problem() -> None:
    write({"p/acme/organization.yaml": HEAD, "p/globex/organization.yaml": WRONG})
    with pytest.raises(PolicyError):
        _ = source.load_all([Path("p")]).policies


@pytest.mark.usefixtures("here")
def test_of_a_single_file_only_its_own_problems_are_told() -> None:
    write({"acme/organization.yaml": HEAD, "acme/a.yaml": WRONG, "acme/b.yaml": WRONG, "acme/c.yaml": TEAM})
    assert told("acme/a.yaml") == ["acme/a.yaml" + WRONG_OWNER]
    assert told("acme/c.yaml") == []
    assert told("acme/a.yaml", "acme/b.yaml") == ["acme/a.yaml" + WRONG_OWNER, "acme/b.yaml" + WRONG_OWNER]
    assert told("acme/a.yaml", "acme", "acme/a.yaml") == told("acme")


@pytest.mark.usefixtures("here")
def test_a_single_file_is_checked_within_its_organization() -> None:
    write({"acme/organization.yaml": HEAD, "acme/a.yaml": TEAM, "acme/b.yaml": TEAM})
    assert told("acme/a.yaml") == []
    assert told("acme/b.yaml") == [
        "acme/b.yaml:3:5 bindings[0]: this binding of group 'eng-web' repeats the one in acme/a.yaml:3:5; "
        "delete one of them"
    ]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("file", ["acme/.a.yaml", "acme/a.txt", "acme/.x/a.yaml"])
def test_a_single_file_that_no_run_would_read_is_told(file: str) -> None:
    write({"acme/organization.yaml": HEAD, file: TEAM})
    assert told(file) == [
        f"{file}: this file is not read as policy of acme; "
        "give it a name that ends in .yaml and has no leading dot, nor any folder of it"
    ]


@pytest.mark.usefixtures("here")
def test_a_single_file_without_organization_is_told() -> None:
    write({"web.yaml": TEAM})
    assert told("web.yaml") == [
        "web.yaml: this file belongs to no organization; "
        "move it into the folder of an organization, or write an organization.yaml beside it"
    ]


@pytest.mark.usefixtures("here")
def test_a_folder_named_itself_may_have_any_name() -> None:
    write({"policy/organization.yaml": HEAD})
    assert told("policy") == []
    assert told(".") == [
        "policy/organization.yaml:2:15 organization: "
        "this names the organization 'acme' but lies in the folder 'policy'; rename the one or the other"
    ]


@pytest.mark.usefixtures("here")
def test_two_paths_to_one_organization_read_it_once() -> None:
    write({"acme/organization.yaml": HEAD, "acme/web.yaml": TEAM})
    assert len(source.load_all([Path("acme"), Path("."), Path("./acme/../acme")]).folders) == 1


def test_places_are_shown_as_the_user_would_type_them(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"acme/organization.yaml": HEAD, "acme/web.yaml": WRONG})
    expected = "acme/web.yaml" + WRONG_OWNER
    assert told(str(here / "acme")) == [expected] == told("./acme/")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert told("../acme") == ["../" + expected]
    assert told(str(here / "acme")) == [f"{here}/{expected}"]


@pytest.mark.usefixtures("here")
def test_links_do_not_bring_in_what_lies_outside() -> None:
    write(
        {
            "acme/organization.yaml": HEAD,
            "acme/.data/web.yaml": TEAM,
            "outside/x.yaml": TEAM,
            "outside/y.txt": "",
        }
    )
    Path("acme/web.yaml").symlink_to(".data/web.yaml")
    Path("acme/x.yaml").symlink_to("../outside/x.yaml")
    Path("acme/y.txt").symlink_to("../outside/y.txt")
    Path("acme/again").symlink_to(".")
    Path("acme/more").symlink_to("../outside")
    Path("acme/gone.yaml").symlink_to("nowhere.yaml")
    found = source.load_all([Path("acme")])
    assert [str(problem).partition(";")[0] for problem in found.problems] == [
        "acme/again: a link to a folder is not followed",
        "acme/gone.yaml: the file is a link to something that does not exist",
        "acme/more: a link to a folder is not followed",
        "acme/x.yaml: this link leads out of the folder",
    ]
    assert found.folders[0].files == ("acme/organization.yaml", "acme/gone.yaml", "acme/web.yaml")


@pytest.fixture
def closed_folder() -> None:
    write({"acme/organization.yaml": HEAD, "acme/closed/web.yaml": TEAM})
    Path("acme/closed").chmod(0)


@pytest.mark.usefixtures("here", "closed_folder", "without_privileges")
def test_a_folder_that_cannot_be_listed_is_told() -> None:
    assert told("acme") == ["acme/closed: the path cannot be read: permission denied; make it readable"]


@pytest.mark.usefixtures("here")
def test_where_organization_yaml_cannot_be_read_no_project_is_called_unknown() -> None:
    write({"acme/organization.yaml": "[", "acme/web.yaml": TEAM + "owner: ''\n"})
    assert [problem.partition(":")[0] for problem in told("acme")] == [
        "acme/organization.yaml",
        "acme/web.yaml",
    ]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(head=st.binary(max_size=80), team=st.binary(max_size=80))
def test_random_bytes_raise_only_policy_errors(head: bytes, team: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir(exist_ok=True)
    (folder / "organization.yaml").write_bytes(head)
    (folder / "web.yaml").write_bytes(team)
    with pytest.raises(PolicyError):
        source.load(folder)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """A text with some pieces of it, or other YAML, put in other places."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        other = draw(st.integers(0, len(text)))
        pieces = st.sampled_from(
            ["", text[other : other + 9], "- ", "{", "[]", ": ", "\n", "  ", "*a", "&a ", "'", "~"]
        )
        text = text[:start] + draw(pieces) + text[end:]
    return text


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(head=mutated(HEAD), team=mutated(EVERYTHING))
def test_mutated_policies_load_or_have_problems_with_remedies(head: str, team: str, tmp_path: Path) -> None:
    write({f"{tmp_path}/acme/organization.yaml": head, f"{tmp_path}/acme/web.yaml": team})
    loaded = source.load_all([tmp_path / "acme"])
    assert all(problem.message and problem.remedy for problem in loaded.problems)
    if not loaded.problems:
        assert source.load(tmp_path / "acme") == loaded.policies[0]
