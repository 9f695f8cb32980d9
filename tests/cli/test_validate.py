"""`reconciler validate`: what it prints, where, and how it exits."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from click.testing import CliRunner, Result
from repository import alone, run

from reconciler.cli import cli

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "policies"
VALID = sorted((EXAMPLES / "valid").iterdir())
INVALID = sorted((EXAMPLES / "invalid").iterdir())
TEN_MISTAKES = EXAMPLES / "invalid" / "ten-mistakes-in-three-files"

HEAD = "version: 1\norganization: acme\nmode: report\n"


def validate(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["validate", *arguments])


def outcome(result: Result) -> tuple[int, str, str]:
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a valid organization, in the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "organization.yaml").write_text(HEAD)
    return folder


@pytest.mark.parametrize("example", VALID, ids=lambda path: path.name)
def test_a_valid_example_is_accepted(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(example)
    result = validate(".")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize("example", INVALID, ids=lambda path: path.name)
def test_an_invalid_example_prints_exactly_what_is_expected(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(example)
    result = validate(".")
    assert (result.exit_code, result.stdout) == (6, (example / "expected.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("example", INVALID, ids=lambda path: path.name)
def test_json_tells_the_same_problems_as_text(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(example)
    result = validate("--format", "json", ".")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["format"], document["valid"]) == (6, "reconciler.validate/1", False)
    lines = (example / "expected.txt").read_text(encoding="utf-8").splitlines()
    for problem, line in zip(document["problems"], lines, strict=True):
        place = (
            f"{problem['file']}:{problem['line']}:{problem['column']}" if problem["line"] else problem["file"]
        )
        assert line.startswith(place)
        assert line.endswith(problem["remedy"])


def test_ten_mistakes_in_three_files_are_ten_lines_each_with_place_path_and_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(TEN_MISTAKES)
    text, data = validate("."), validate(".", "--format", "json")
    problems = json.loads(data.stdout)["problems"]
    assert (text.exit_code, len(text.stdout.splitlines()), text.stderr) == (6, 10, "10 problems in 3 files\n")
    assert (data.exit_code, len(problems), data.stderr) == (6, 10, "10 problems in 3 files\n")
    assert all(all(problem.values()) for problem in problems)


def test_the_example_policies_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = validate()
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("policies/acme is valid: ")


def test_the_examples_of_the_guide_are_one_valid_policy(acme: Path) -> None:
    guide = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    head = f"{HEAD}directory: {{kind: okta}}\nprojects: {{storefront: {{}}, checkout: {{}}}}\n"
    settings = [example for example in examples if example.startswith("# organization.yaml")]
    (acme / "organization.yaml").write_text(head + "".join(settings))
    others = [example for example in examples if example not in settings]
    for number, example in enumerate(others):
        (acme / f"{number}.yaml").write_text(f"version: 1\n{example}")
    held = "2 bindings, 1 temporary grant, 2 people, 1 service account, 2 assertions"
    assert (len(settings), len(others)) == (3, 6)
    assert outcome(validate("acme")) == (0, "", f"acme is valid: 7 files, {held}\n")


def test_the_example_of_the_page_on_assertions_is_a_valid_policy(acme: Path) -> None:
    page = (ROOT / "docs/assertions.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    head = f"{HEAD}projects: {{storefront: {{}}, checkout: {{}}}}\nclasses: {{contractor: {{}}}}\n"
    (acme / "organization.yaml").write_text(head)
    (acme / "rules.yaml").write_text(f"version: 1\n{example}")
    summary = "acme is valid: 2 files, 0 bindings, 0 temporary grants, 4 assertions\n"
    assert outcome(validate("acme")) == (0, "", summary)


@pytest.mark.parametrize("path", sorted((ROOT / "policies").rglob("*.yaml")), ids=lambda path: path.name)
def test_each_file_of_the_example_policies_names_its_schema_for_editors(path: Path) -> None:
    first, _, named = path.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")
    assert first == "# yaml-language-server: "
    schema = "organization" if path.name == "organization.yaml" else "policy"
    assert (path.parent / named).resolve() == ROOT / "schemas" / f"{schema}.schema.json"


@pytest.mark.usefixtures("acme")
def test_a_valid_policy_is_summed_up_on_standard_error() -> None:
    Path("acme/web.yaml").write_text("version: 1\nbindings:\n  - {group: eng-web, organization: viewer}\n")
    summary = "acme is valid: 2 files, 1 binding, 0 temporary grants\n"
    assert outcome(validate("acme")) == (0, "", summary)
    assert outcome(validate("acme/web.yaml")) == (0, "", "acme/web.yaml is valid\n")
    assert outcome(validate("acme", "acme/web.yaml")) == (0, "", summary)
    valid = '{\n  "format": "reconciler.validate/1",\n  "valid": true,\n  "problems": []\n}\n'
    assert outcome(validate("acme", "--format", "json")) == (0, valid, summary)


@pytest.mark.usefixtures("acme")
def test_people_and_service_accounts_are_counted_where_there_are_any() -> None:
    Path("acme/bots.yaml").write_text(
        "version: 1\npeople:\n  - {user: ann, ends: 2026-12-31}\n  - {user: bob, previously: [rob]}\n"
        "service_accounts:\n  - {user: bot, organization: viewer, owner: bob, reason: x, review: 2027-01-31}"
    )
    summary = "acme is valid: 2 files, 0 bindings, 0 temporary grants, 2 people, 1 service account\n"
    assert outcome(validate("acme")) == (0, "", summary)


def test_without_a_path_the_folder_policies_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = (
        "policies: there is no such file or folder; "
        "give the folder of an organization, or one that holds such folders\n"
    )
    assert outcome(validate()) == (6, told, "1 problem in 1 file\n")
    Path("policies/acme").mkdir(parents=True)
    Path("policies/acme/organization.yaml").write_text(HEAD)
    assert validate().exit_code == 0


def test_a_file_of_fifty_megabytes_is_refused(acme: Path) -> None:
    with (acme / "web.yaml").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    told = (
        "acme/web.yaml: the file has 52,428,800 bytes, more than the 1,048,576 that a policy file may have; "
        "split it into several files\n"
    )
    assert outcome(validate("acme")) == (6, told, "1 problem in 1 file\n")


def test_an_endlessly_nested_file_is_refused(acme: Path) -> None:
    (acme / "web.yaml").write_text("[" * 100_000)
    result = validate("acme")
    assert result.exit_code == 6
    assert result.stdout.startswith("acme/web.yaml:1:21 [0][0]")
    assert result.stdout.endswith(
        "more than 20 levels deep; close the brackets, or correct the indentation\n"
    )


def test_a_file_that_is_not_utf8_is_refused(acme: Path) -> None:
    (acme / "web.yaml").write_bytes("version: 1\nowner: Zoë\n".encode("latin-1"))
    told = (
        "acme/web.yaml:2:10: the file is not UTF-8: byte 0xeb at offset 20 looks like another encoding; "
        "save the file as UTF-8\n"
    )
    assert outcome(validate("acme")) == (6, told, "1 problem in 1 file\n")


def test_a_link_to_nowhere_is_refused(acme: Path) -> None:
    (acme / "web.yaml").symlink_to("nowhere.yaml")
    assert validate("acme").stdout == (
        "acme/web.yaml: the file is a link to something that does not exist; correct the link or delete it\n"
    )
    assert validate("acme/web.yaml").stdout == validate("acme").stdout


def test_what_a_file_says_cannot_play_tricks_on_a_terminal(acme: Path) -> None:
    (acme / "web.yaml").write_text('version: 1\n"\\e]0;x\\a\\u202e": 1\n')
    (acme / "\x1b[2J.yaml").write_text("version: 2\n")
    result = validate("acme")
    assert result.exit_code == 6
    assert all(line.isprintable() for line in result.output.splitlines())


def test_an_unknown_format_is_a_usage_error() -> None:
    assert validate("--format", "xml").exit_code == 2


def test_validate_imports_no_library_that_it_does_not_need() -> None:
    unneeded = {"httpx", "deepdiff", "rich", "scim2_server", "hypothesis"}
    program = f"import sys, reconciler.cli.validate; print(*{unneeded} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


# Reports


def test_every_format_tells_each_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TEN_MISTAKES)
    junit = Xml.fromstring(validate(".", "--format", "junit").stdout)
    sarif = json.loads(validate(".", "--format", "sarif").stdout)
    assert (junit.get("tests"), junit.get("failures")) == ("10", "10")
    assert len(sarif["runs"][0]["results"]) == 10


def test_reports_are_written_beside_what_is_printed(acme: Path) -> None:
    (acme / "organization.yaml").write_text(HEAD.replace("report", "reprot"))
    (acme / "web.yaml").write_text("version: 1\n")
    result = validate("acme", "--report", "test-results/policy/junit.xml", "--report", "validate.sarif")
    problem = "acme/organization.yaml:3:7 mode"
    assert (result.exit_code, result.stdout.startswith(f"{problem}: "), result.stderr) == (
        6,
        True,
        "1 problem in 1 file\n",
    )
    cases = Xml.parse("test-results/policy/junit.xml").iter("testcase")
    assert [(case.get("name"), len(case)) for case in cases] == [(problem, 1), ("acme/web.yaml", 0)]
    [run] = json.loads(Path("validate.sarif").read_text())["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["policy/organization"]


def sarif_places(*arguments: str) -> list[tuple[str, str]]:
    [told] = json.loads(validate(*arguments, "--format", "sarif").stdout)["runs"]
    found = [one["locations"][0]["physicalLocation"]["artifactLocation"] for one in told["results"]]
    return [(one["uri"], one.get("uriBaseId", "")) for one in found]


@pytest.fixture
def repository(acme: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a repository that holds a wrong policy in `policies/acme`; the current folder."""
    alone(acme.parent, monkeypatch)
    run(acme.parent, "init", "--quiet", "repository")
    root = acme.parent / "repository"
    (acme / "organization.yaml").write_text(HEAD.replace("report", "reprot"))
    (root / "policies").mkdir()
    acme.rename(root / "policies" / "acme")
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("there", [".", "policies", "policies/acme", ".."])
def test_sarif_calls_files_from_the_root_of_the_repository(
    there: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(there)
    told = [("policies/acme/organization.yaml", "%SRCROOT%")]
    assert sarif_places(os.path.relpath(repository / "policies/acme")) == told
    assert sarif_places(str(repository / "policies")) == told
    (repository.parent / "way").symlink_to(repository / "policies")
    assert sarif_places(str(repository.parent / "way" / "acme")) == told


def test_sarif_tells_a_line_of_a_link_where_the_line_is(repository: Path) -> None:
    acme = repository / "policies/acme"
    (acme / "web.txt").write_text("version: 2\n")
    (acme / "web.yaml").symlink_to("web.txt")
    (acme / "out.yaml").symlink_to("/etc/hostname")
    assert sorted(uri for uri, _ in sarif_places("policies/acme")) == [
        "policies/acme/organization.yaml",
        "policies/acme/out.yaml",
        "policies/acme/web.txt",
    ]


def test_sarif_tells_what_is_outside_of_the_repository_by_its_whole_path(repository: Path) -> None:
    (repository.parent / "stray.yaml").write_text("version: 2\n")
    assert sarif_places("policies/acme", str(repository.parent / "stray.yaml")) == [
        (f"file://{repository.parent}/stray.yaml", ""),
        ("policies/acme/organization.yaml", "%SRCROOT%"),
    ]


def test_outside_of_git_sarif_calls_files_as_they_were_given(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(acme.parent.parent))
    (acme / "organization.yaml").write_text(HEAD.replace("report", "reprot"))
    assert sarif_places("acme") == [("acme/organization.yaml", "%SRCROOT%")]


@pytest.mark.usefixtures("acme")
def test_a_valid_policy_is_a_report_without_problems() -> None:
    files = ["a.txt", "a.xml", "a.sarif", "a.json"]
    result = validate("acme", *(word for file in files for word in ("--report", file)))
    assert (result.exit_code, result.stdout) == (0, "")
    assert Path("a.txt").read_text() == ""
    assert Xml.parse("a.xml").getroot().get("failures") == "0"
    assert json.loads(Path("a.sarif").read_text())["runs"][0]["results"] == []
    assert json.loads(Path("a.json").read_text())["valid"] is True


@pytest.mark.usefixtures("acme")
def test_a_report_that_can_t_be_written_is_an_error_after_everything_else() -> None:
    result = validate("acme", "--report", "acme/organization.yaml/a.xml")
    assert result.exit_code == 2
    assert result.stderr.startswith("acme is valid: ")
    assert "error: no report could be written to acme/organization.yaml/a.xml: " in result.stderr
