"""`reconciler diff`: small repositories, whole outputs, streams and exit codes."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from cli.in_memory import alone, ran
from cli.small_world import BINDINGS, ORGANIZATION, acme, named, write_policy
from cli.small_world import run as run_without
from cli.terminals import on_terminal
from scim.fake_server import BASE, refusal

WHO = {"NAME": "ann", "EMAIL": "a@x", "DATE": "2026-11-02T08:30:00Z"}
WHOSE = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()}
WEB = Path("policies/acme/web.yaml")
HEAD = Path("policies/acme/organization.yaml")
EDITED = BINDINGS.replace("organization: viewer", "organization: contributor").replace(
    "  - group: platform\n    organization: admin\n", ""
)
NEEDS = """\
version: 1
bindings:
  - group: eng-web
    organization: viewer
    projects: {storefront: contributor}
"""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit() -> str:
    git("add", "--all", ".")
    git("commit", "--quiet", "--allow-empty", "--message", "edit")
    return git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository with a small policy on `main`, and the branch `edit` that is checked out."""
    alone(tmp_path, monkeypatch)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    nobodys = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for name, value in {**WHOSE, **nobodys, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}.items():
        monkeypatch.setenv(name, value)
    git("init", "--quiet", "--initial-branch=main")
    write_policy(tmp_path / "policies/acme")
    return commit()


def edit(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def alone_with_git(*arguments: str) -> tuple[int, str, str]:
    """A run without any connection."""
    return run_without({}, "diff", *arguments)


def test_the_working_tree_is_compared_people_by_people(base: str) -> None:
    edit(WEB, EDITED)
    edit(HEAD, ORGANIZATION.replace("guardrails: {", "guardrails: {minimum_admins: 1, "))
    server = acme()

    code, out, err = ran(server, "diff", "main")

    assert (
        out
        == f"""\
from {base[:12]}, where the working tree and main part, to the working tree

acme, mode enforce
people are those of {BASE}, as of now

loosens:
  guardrails.minimum_admins: 2 -> 1 (policies/acme/organization.yaml:5)

3 people change: 1 gains, 2 lose everything
organization admins: 2 before, 0 after; no longer: ada@acme.example, bob@acme.example

ada@acme.example loses everything
  organization   admin -> none         no longer group platform (policies/acme/web.yaml:4)

bob@acme.example loses everything
  organization   admin -> none         no longer group platform (policies/acme/web.yaml:4)

cleo@acme.example gains
  organization  viewer -> contributor  group eng-web (policies/acme/web.yaml:4)

refused by guardrail minimum_admins: the number of organization admins would fall from 2 to 0; at least 1 must stay
  people: ada@acme.example, bob@acme.example
  remedy: give the admin role to somebody else first, in the same policy or in an earlier one

refused by guardrail last_roles: 2 people would be left without any role; 1 may at once (20 % of 3 people with roles counts as 1, and never more than 10)
  people: ada@acme.example, bob@acme.example
  remedy: check that each of them should; if so, raise `guardrails.last_roles` in the policy or do it in steps
"""  # noqa: E501 - as it is printed
    )
    assert (code, err) == (0, "")
    assert server.writes == []


def test_without_a_connection_groups_are_told_as_a_whole(base: str) -> None:
    edit(WEB, EDITED)

    code, out, err = alone_with_git("main")

    assert (
        out
        == f"""\
from {base[:12]}, where the working tree and main part, to the working tree

acme, mode enforce
nobody was looked up, as CIRCLECI_SCIM_URL is not set: groups are told whole
everybody in 2 groups changes: 1 gains, 1 loses

everybody in eng-web gains
  organization  viewer -> contributor  group eng-web (policies/acme/web.yaml:4)

everybody in platform loses
  organization   admin -> none         no longer group platform (policies/acme/web.yaml:4)
"""
    )
    assert (code, err) == (0, "")


@pytest.mark.parametrize("empty", ["CIRCLECI_SCIM_TOKEN", "CIRCLECI_SCIM_URL"])
def test_a_secret_that_a_fork_is_not_given_is_no_error(empty: str) -> None:
    edit(WEB, EDITED)
    given = {"CIRCLECI_SCIM_URL": BASE, "CIRCLECI_SCIM_TOKEN": "x" * 20, empty: ""}
    code, out, _ = run_without(given, "diff", "main")
    assert (code, out.split("\n")[3]) == (
        0,
        f"nobody was looked up, as {empty} is not set: groups are told whole",
    )


def test_what_was_saved_tells_a_later_run_without_secrets_the_same_people() -> None:
    edit(WEB, EDITED)
    saving = ran(acme(), "diff", "main", "--save-membership", "members.json", "--format", "json")
    file = Path("members.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    code, out, _ = alone_with_git("main", "--membership", "members.json", "--format", "json")

    [live], [kept] = saving.data["organizations"], json.loads(out)["organizations"]
    assert (saving.code, code) == (0, 0)
    assert (live["source"], kept["source"]) == ("server", "saved")
    assert kept["basis"].startswith("people and groups are those of members.json, saved 20")
    assert kept["basis"].endswith("UTC, less than an hour ago")
    assert [(c["user"], c["scopes"]) for c in kept["plan"]["changes"]] == [
        (c["user"], c["scopes"]) for c in live["plan"]["changes"]
    ]


def test_no_server_is_asked_where_a_membership_is_given() -> None:
    edit(WEB, EDITED)
    ran(acme(), "diff", "main", "--save-membership", "members.json")
    server = acme()
    assert ran(server, "diff", "main", "--membership", "members.json").code == 0
    assert server.requests == []


def test_two_revisions_are_compared_from_where_they_part(base: str) -> None:
    git("checkout", "--quiet", "-b", "edit")
    edit(WEB, EDITED)
    ours = commit()
    git("checkout", "--quiet", "main")
    edit(WEB, NEEDS)
    commit()
    edit(WEB, "not: looked at")

    code, out, _ = alone_with_git("main", "edit", "--format", "json")

    data = json.loads(out)
    assert (code, data["base"], data["head"]) == (
        0,
        {"revision": "main", "commit": base},
        {"revision": "edit", "commit": ours},
    )
    changes = data["organizations"][0]["plan"]["changes"]
    assert sorted(change["user"] for change in changes) == ["everybody in eng-web", "everybody in platform"]


def test_a_head_that_the_base_has_already_is_said() -> None:
    edit(WEB, EDITED)
    commit()
    code, out, _ = alone_with_git("main", "HEAD~1")
    assert code == 0
    assert out.split("\n")[1] == "main has all of HEAD~1 already, so there is no edit between them"


def test_the_same_policy_asks_no_server(base: str) -> None:
    edit(Path("README.md"), "not policy")
    server = acme()
    code, out, err = ran(server, "diff", "main", "--exit-code")
    assert (code, err, server.requests) == (0, "", [])
    assert (
        out
        == f"""\
from {base[:12]}, where the working tree and main part, to the working tree

acme
its policy is the same on both sides
"""
    )


@pytest.mark.parametrize(("edited", "expected"), [(EDITED, 3), (BINDINGS + "# a comment\n", 0)])
def test_the_exit_code_tells_on_demand_whether_people_change(edited: str, expected: int) -> None:
    edit(WEB, edited)
    assert ran(acme(), "diff", "main", "--exit-code").code == expected
    assert alone_with_git("main", "--exit-code")[0] == expected
    assert alone_with_git("main")[0] == 0


def test_problems_of_the_new_policy_are_the_edits() -> None:
    edit(WEB, BINDINGS.replace("admin", "boss"))
    code, out, err = alone_with_git("main", "--format", "json", "--report", "d.txt")
    assert code == 6
    assert err.startswith("policies/acme/web.yaml:4:19 bindings[0].organization: unknown role 'boss'")
    assert [one["line"] for one in json.loads(out)["problems"]] == [4, 7]
    assert "the policy is invalid:\n  policies/acme/web.yaml:4:19" in Path("d.txt").read_text(
        encoding="utf-8"
    )


def test_a_group_that_the_directory_lacks_is_the_edits_problem_and_the_rest_is_told() -> None:
    edit(WEB, BINDINGS.replace("platform", "platfrom").replace("viewer", "contributor"))
    code, out, err = ran(acme(), "diff", "main")
    assert code == 6
    assert "the directory has no group 'platfrom', did you mean 'platform'?" in err
    assert "1 person changes: 1 gains" in out
    assert "ada@acme.example" not in out


def test_an_old_policy_that_is_invalid_is_said_and_fails_nobody_who_mends_it() -> None:
    edit(WEB, BINDINGS.replace("admin", "boss"))
    commit()
    edit(WEB, BINDINGS)

    code, out, err = alone_with_git("HEAD")

    assert (code, err) == (0, "")
    assert (
        out.split("\n\n", 1)[1]
        == """\
acme
its policy of before is invalid, so what the edit means can't be told; `reconciler plan` tells what the new one does

in the policy of before:
  policies/acme/web.yaml:4:19 bindings[0].organization: unknown role 'boss'; write one of admin, contributor, viewer
  policies/acme/web.yaml:7:28 bindings[1].projects.storefront: unknown role 'boss'; write one of admin, contributor, viewer
"""  # noqa: E501 - as it is printed
    )
    assert alone_with_git("HEAD", "--exit-code")[0] == 3


def test_organizations_come_and_go() -> None:
    write_policy(Path("policies/beta"), ORGANIZATION.replace("acme", "beta"), BINDINGS)
    git("rm", "-rq", "policies/acme")

    code, out, err = alone_with_git("main")

    assert (code, err) == (0, "")
    acme_part, beta_part = out.split("\n\n", 1)[1].split("\n\nbeta")
    assert acme_part == (
        "acme\nhas no policy any more: roles and accounts stay as they are, and no run looks at them"
    )
    assert "has had no policy so far: what people hold on the server is not told here" in beta_part
    assert "everybody in platform gains\n  organization  none -> admin   group platform" in beta_part


def test_a_folder_that_went_altogether_is_an_organization_that_went() -> None:
    git("rm", "-rq", "policies")
    code, out, _ = alone_with_git("main")
    assert (code, out.split("\n")[2]) == (0, "acme")


def test_one_organization_that_cannot_be_read_does_not_hide_the_other() -> None:
    write_policy(Path("policies/beta"), ORGANIZATION.replace("acme", "beta"), BINDINGS)
    commit()
    edit(WEB, EDITED)
    edit(Path("policies/beta/web.yaml"), EDITED)
    servers = {"acme": acme(faults=[refusal("GET", 403)] * 9), "beta": acme()}

    result = ran(servers, "diff", "main", "--format", "json", "--report", "d.txt")

    assert result.code == 7
    assert [one["organization"] for one in result.data["organizations"]] == ["beta"]
    assert [one["organization"] for one in result.data["failures"]] == ["acme"]
    assert result.data["failures"][0]["message"] in Path("d.txt").read_text(encoding="utf-8")


USAGE = {
    "an unknown revision": (["nope"], "error: git knows no revision 'nope' here"),
    "a head that is unknown": (["main", "nope"], "error: git knows no revision 'nope' here"),
    "a path that neither has": (["main", "--path", "x"], "error: neither side has a folder x"),
    "a single file": (["main", "--path", str(WEB)], f"error: neither side has a folder {WEB}"),
    "both options": (
        ["main", "--membership", "a.json", "--save-membership", "b.json"],
        "Error: --membership and --save-membership exclude each other: it is saved already.",
    ),
    "nothing to save": (
        ["main", "--save-membership", "b.json"],
        "error: there is no membership to save: CIRCLECI_SCIM_URL is not set",
    ),
    "a membership that is no export": (["main", "--membership", "a.txt"], "error: a.txt can't be an export"),
}


@pytest.mark.parametrize(("arguments", "message"), USAGE.values(), ids=USAGE)
def test_a_wrong_command_line_is_usage(arguments: list[str], message: str) -> None:
    edit(WEB, EDITED)
    code, _, err = alone_with_git(*arguments)
    assert code == 2
    assert any(line.startswith(message) for line in err.splitlines()), err
    assert not Path("b.json").exists()


def test_a_membership_of_one_organization_is_not_taken_for_two() -> None:
    write_policy(Path("policies/beta"), ORGANIZATION.replace("acme", "beta"), BINDINGS)
    code, _, err = alone_with_git("main", "--membership", "m.json")
    assert (code, err) == (
        2,
        "error: a saved membership is of one organization, and there are 2: acme, beta\n"
        "hint: name the folder of one of them with --path\n",
    )
    assert alone_with_git("main", "--path", "policies/acme", "--membership", "m.json")[0] == 0


def test_a_membership_that_is_cut_short_is_unreadable() -> None:
    edit(WEB, EDITED)
    Path("m.json").write_text('{"format": "reconciler.dir', encoding="utf-8")
    code, _, err = alone_with_git("main", "--membership", "m.json")
    assert code == 7
    assert "m.json:1" in err


def test_outside_of_a_repository_is_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path / "out"))
    write_policy(tmp_path / "out/side/policies/acme")
    monkeypatch.chdir(tmp_path / "out/side")
    assert alone_with_git("main") == (
        2,
        "",
        "error: no revisions of policies can be compared: it is not in a git repository\n"
        "hint: run it in a checkout of the policy's repository\n",
    )


def test_a_shallow_clone_without_the_base_tells_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("checkout", "--quiet", "-b", "edit")
    edit(WEB, EDITED)
    commit()
    git("checkout", "--quiet", "main")
    edit(Path("more"), "x")
    commit()
    git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{tmp_path}", "clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert alone_with_git("origin/main", "origin/edit") == (
        2,
        "",
        "error: this clone does not go back to the commit where 'origin/main' and the other revision part\n"
        "hint: git fetch --unshallow; or have the CI clone the whole history\n",
    )


def test_a_branch_that_the_clone_lacks_tells_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("branch", "release/1")
    git("clone", "--quiet", "--single-branch", f"file://{tmp_path}", "clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert alone_with_git("origin/release/1")[2] == (
        "error: git knows no revision 'origin/release/1' here\n"
        "hint: git fetch origin release/1:refs/remotes/origin/release/1\n"
    )


def test_the_command_works_from_any_folder_of_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    edit(WEB, EDITED)
    monkeypatch.chdir("policies/acme")
    code, out, _ = alone_with_git("main", "--path", "..")
    assert code == 0
    assert "group eng-web (web.yaml:4)" in out
    assert "(../web.yaml" not in out


def test_on_a_terminal_people_are_a_table() -> None:
    edit(WEB, EDITED)
    code, seen = on_terminal({"NO_COLOR": "1"}, "diff", "main")
    rows = [re.split(r"  +", line.rstrip()) for line in seen.splitlines() if line.startswith("everybody in")]
    assert code == 0
    assert rows == [
        ["everybody in 2 groups changes: 1 gains, 1 loses"],
        [
            "everybody in eng-web",
            "gains",
            "organization",
            "viewer",
            "contributor",
            f"group eng-web ({WEB}:4)",
        ],
        [
            "everybody in platform",
            "loses",
            "organization",
            "admin",
            "none",
            f"no longer group platform ({WEB}:4)",
        ],
    ]


def test_hostile_names_are_shown_harmless() -> None:
    evil = "eng\\u202e\\u001b]0;x\\u0007"
    edit(WEB, BINDINGS + f'  - group: "{evil}"\n    organization: viewer\n')
    code, out, err = alone_with_git("main")
    assert code == 6
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err


def test_each_report_is_written_beside_the_output() -> None:
    edit(WEB, EDITED)
    code, out, _ = alone_with_git("main", "--report", "r/d.txt", "--report", "r/d.json")
    assert code == 0
    assert Path("r/d.txt").read_text(encoding="utf-8") == out
    assert json.loads(Path("r/d.json").read_text(encoding="utf-8"))["format"] == "reconciler.diff/1"


def test_markdown_tells_what_a_reviewer_must_see_first(base: str) -> None:
    edit(WEB, EDITED)
    edit(HEAD, ORGANIZATION.replace("guardrails: {", "guardrails: {minimum_admins: 1, "))

    code, out, err = alone_with_git("main", "--format", "markdown")

    assert (code, err) == (0, "")
    expected = f"""\
from `{base[:12]}`, where the working tree and main part, to the working tree

## What the edit means for `acme`

**everybody in 2 groups changes: 1 gains, 1 loses**

- **loosens 1 check**: `guardrails.minimum_admins`
- nobody was looked up, as `CIRCLECI_SCIM_URL` is not set: groups are told whole
- mode enforce

### Loosens

- `guardrails.minimum_admins`: `2` -> `1` (`policies/acme/organization.yaml:5`)

### People

| Who | Change | Where | Before | After | Why |
| --- | --- | --- | --- | --- | --- |
| `everybody in platform` | loses, **no longer admin** | organization | admin | none | no longer group `platform` (`policies/acme/web.yaml:4`) |
| `everybody in eng-web` | gains | organization | viewer | contributor | group `eng-web` (`policies/acme/web.yaml:4`) |
"""  # noqa: E501 - as it is printed
    assert out == expected


def test_markdown_tells_guardrails_problems_and_what_could_not_be_read() -> None:
    write_policy(Path("policies/beta"), ORGANIZATION.replace("acme", "beta"), BINDINGS)
    write_policy(Path("policies/gone"), ORGANIZATION.replace("acme", "gone"), "not: valid")
    commit()
    git("mv", "policies/gone/web.yaml", "policies/gone/web.txt")
    edit(WEB, EDITED)
    edit(Path("policies/beta/web.yaml"), EDITED)
    servers = {"acme": acme(), "beta": acme(faults=[refusal("GET", 403)] * 9), "gone": acme()}

    result = ran(servers, "diff", "main", "--format", "markdown")

    assert result.code == 7
    assert "## What the edit means for `beta` can't be told\n\n- **" in result.out
    assert "**3 people change: 1 gains, 2 lose everything**" in result.out
    assert "- **refused** by guardrail `minimum_admins`: " in result.out
    assert "### In the policy of before\n\n- `policies/gone/web.yaml:1`" in result.out


def test_an_invalid_policy_in_markdown() -> None:
    edit(WEB, BINDINGS.replace("admin", "boss"))
    code, out, _ = alone_with_git("main", "--format", "markdown")
    assert code == 6
    assert "## The policy has 2 problems\n\n- `policies/acme/web.yaml:4`" in out


def test_thousands_of_people_fit_into_one_comment() -> None:
    people = [f"person-{number:05}@acme.example" for number in range(5000)]
    document = {
        "format": "reconciler.directory/1",
        "exported": "2026-11-26T06:00:00Z",
        "groups": [{"name": "eng-web", "members": people}, {"name": "platform", "members": people[:2]}],
    }
    Path("m.json").write_text(json.dumps(document), encoding="utf-8")
    edit(WEB, EDITED)
    code, out, _ = alone_with_git("main", "--membership", "m.json", "--format", "markdown")
    assert code == 0
    assert "**5000 people change: 4998 gain, 2 lose**" in out
    assert len(out.encode()) <= 65_536


# Without names


@pytest.mark.parametrize("output", ["text", "markdown", "json"])
def test_a_redacted_diff_names_nobody_on_any_stream_or_in_any_report(output: str) -> None:
    edit(HEAD, ORGANIZATION.replace("guardrails: {", "guardrails: {required_admins: [ada@acme.example], "))
    grant = "grants: [{user: dan@acme.example, organization: viewer, reason: dan's, expires: 2099-01-01}]\n"
    edit(WEB, EDITED + grant + "people: [{user: cleo@acme.example, previously: [bobby@acme.example]}]\n")
    names = ("diff.txt", "diff.md", "diff.json")
    reports = [part for name in names for part in ("--report", name)]
    done = ran(acme(), "diff", "main", "--redact", "--format", output, *reports)
    told = [done.out, done.err, *(Path(name).read_text(encoding="utf-8") for name in names)]
    assert done.code == 0
    assert named(told) == []
    assert not any("bobby" in one for one in told)
    assert all("person-" in one for one in told if one != done.err)
    keys = {edit["key"] for edit in json.loads(told[-1])["organizations"][0]["edits"]}
    assert "guardrails.required_admins" in keys


def test_a_redacted_diff_that_nobody_was_looked_up_for_tells_whole_groups() -> None:
    edit(WEB, EDITED)
    code, out, err = alone_with_git("main", "--redact")
    assert (code, err) == (0, "")
    assert "everybody in eng-web gains" in out


def test_what_is_wrong_with_either_policy_is_redacted_to_its_line() -> None:
    wrong = BINDINGS + "grants: [{user: dan@acme.example, dan: x}]\n"
    edit(WEB, wrong)
    done = ran(acme(), "diff", "main", "--redact", "--report", "diff.md")
    assert done.code == 6
    assert "dan" not in done.out
    told = [done.err, Path("diff.md").read_text(encoding="utf-8")]
    commit()
    edit(WEB, BINDINGS)
    told.append(ran(acme(), "diff", "HEAD", "--redact", "--format", "json").out)
    assert [one for one in told if "something is wrong here" not in one or "dan" in one] == []
