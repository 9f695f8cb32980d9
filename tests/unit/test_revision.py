"""Policy files of a revision: the same as on the disk, and nothing of a hostile repository is obeyed."""

import os
import subprocess
from pathlib import Path

import pytest
from cli.small_world import BINDINGS, ORGANIZATION, write_policy

from reconciler.errors import ReadError, SettingsError
from reconciler.git.revision import Repository
from reconciler.policy import source
from reconciler.policy.source import Loaded

POLICIES = Path("policies")
WHO = {"NAME": "ann", "EMAIL": "a@x", "DATE": "2026-11-02T08:30:00Z"}
WHOSE = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()}


def git(*arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, input=given)
    return done.stdout.decode().strip()


def commit(*, all_of_it: bool = True) -> str:
    if all_of_it:
        git("add", "--all", ".")
    git("commit", "--quiet", "--allow-empty", "--message", "edit")
    return git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository as the current folder, and no settings but its own."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for name, value in {**WHOSE, **alone, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    return tmp_path


def loaded(revision: str = "HEAD", path: Path = POLICIES) -> Loaded:
    repository = Repository.around(path)
    return source.load_all([path], repository.tree(repository.commit(revision)))


def problems(found: Loaded) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_the_policy_of_a_revision_is_what_was_on_the_disk_places_and_all(repository: Path) -> None:
    write_policy(repository / "policies/acme")
    write_policy(repository / "policies/beta", ORGANIZATION.replace("acme", "beta"), BINDINGS)
    (repository / "policies/acme/.hidden.yaml").write_text("not: read", encoding="utf-8")
    (repository / "policies/acme/Ärger team.YML").write_text("version: 1\n", encoding="utf-8")
    (repository / "policies/acme/README.md").write_text("- no: policy", encoding="utf-8")
    on_disk = source.load_all([POLICIES])
    commit()
    subprocess.run(["rm", "-r", "policies"], check=True)

    assert on_disk.problems == ()
    assert loaded() == on_disk
    assert loaded(path=repository / "policies").policies[0].bindings[0].at.file == "policies/acme/web.yaml"


@pytest.mark.parametrize("path", ["policies", "../work/policies", ".", "acme/.."], ids=str)
def test_paths_are_told_as_the_user_stands(
    repository: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = repository / "work"
    write_policy(where / "policies/acme")
    commit()
    monkeypatch.chdir(where / "policies" if path in (".", "acme/..") else where)
    assert loaded(path=Path(path)) == source.load_all([Path(path)])


def test_a_problem_of_a_revision_has_its_place(repository: Path) -> None:
    write_policy(
        repository / "policies/acme", bindings="version: 1\nbindings: [{group: x, organization: boss}]\n"
    )
    commit()
    assert problems(loaded()) == problems(source.load_all([POLICIES]))
    assert problems(loaded())[0].startswith(
        "policies/acme/web.yaml:2:37 bindings[0].organization: unknown role"
    )


LINKS = {
    "of a file inside": ("acme/link.yaml", "more/real.yaml"),
    "up and in again": ("acme/more/link.yaml", "../../../policies/acme/more/real.yaml"),
    "that leads out": ("acme/link.yaml", "../../secret.yaml"),
    "that is absolute": ("acme/link.yaml", "/etc/passwd"),
    "that is absolute, to what is inside as well": ("acme/link.yaml", "/more/real.yaml"),
    "beyond the top of the repository": ("acme/link.yaml", "../../../../../etc/passwd"),
    "to nothing": ("acme/link.yaml", "gone.yaml"),
    "to itself": ("acme/link.yaml", "link.yaml"),
    "to a folder": ("acme/link.yaml", "more"),
    "without the ending": ("acme/link", "../../secret.yaml"),
    "by way of a link": ("acme/link.yaml", "folder.d/real.yaml"),
}


@pytest.mark.parametrize(("name", "target"), LINKS.values(), ids=LINKS)
def test_a_link_in_a_revision_means_what_it_means_on_the_disk(
    repository: Path, name: str, target: str
) -> None:
    write_policy(repository / "policies/acme")
    more = repository / "policies/acme/more"
    more.mkdir()
    (more / "real.yaml").write_text(
        "version: 1\nbindings: [{group: x, organization: viewer}]\n", encoding="utf-8"
    )
    (repository / "secret.yaml").write_text("secret: x\n", encoding="utf-8")
    if "folder.d" in target:
        (repository / "policies/acme/folder.d").symlink_to("more")
    (repository / "policies" / name).symlink_to(target)
    commit()

    found, on_disk = loaded(), source.load_all([POLICIES])

    assert [p.at for p in found.problems] == [p.at for p in on_disk.problems]
    assert "secret" not in repr(found)
    if not on_disk.problems:
        assert found == on_disk


def test_nothing_that_the_repository_configures_is_run(repository: Path) -> None:
    write_policy(repository / "policies/acme")
    trap = repository / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {repository}/sprung\ncat\n", encoding="utf-8")
    trap.chmod(0o755)
    commit()
    (repository / ".gitattributes").write_text(
        "*.yaml filter=trap diff=trap export-subst\n", encoding="utf-8"
    )
    for key in (
        "filter.trap.smudge",
        "filter.trap.clean",
        "diff.trap.textconv",
        "core.fsmonitor",
        "core.pager",
    ):
        git("config", key, str(trap))
    git("config", "alias.ls-tree", f"!{trap}")
    git("config", "alias.cat-file", f"!{trap}")
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (repository / ".git/hooks" / hook).write_bytes(trap.read_bytes())
        (repository / ".git/hooks" / hook).chmod(0o755)
    (repository / "sprung").unlink(missing_ok=True)  # making the trap may have sprung it

    assert loaded().problems == ()
    assert not (repository / "sprung").exists()


def crafted(*entries: tuple[str, str, str, str]) -> str:
    """A commit whose tree `policies/acme` has these entries, however malformed: mode, type, id, name."""
    rows = b"".join(
        mode.encode() + b" " + name.encode() + b"\0" + bytes.fromhex(id_) for mode, _, id_, name in entries
    )
    acme = git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=rows)
    policies = git("mktree", given=f"040000 tree {acme}\tacme\n".encode())
    top = git("mktree", given=f"040000 tree {policies}\tpolicies\n".encode())
    return git("commit-tree", "-m", "crafted", top)


def blob(text: str) -> str:
    return git("hash-object", "-w", "--stdin", given=text.encode())


def test_names_that_no_checkout_would_have_write_nothing_anywhere(repository: Path) -> None:
    head, evil = blob(ORGANIZATION), blob("version: 1\nbindings: [{group: evil, organization: admin}]\n")
    link, tree = blob("../../../outside"), git("mktree", given=f"100644 blob {evil}\tx.yaml\n".encode())
    crafted_commit = crafted(
        ("40000", "tree", tree, ".."),
        ("40000", "tree", tree, ".git"),
        ("100644", "blob", evil, "../../escaped.yaml"),
        ("120000", "blob", link, "down"),
        ("40000", "tree", tree, "down"),
        ("100644", "blob", evil, "new\nline\x1b[31m.yaml"),
        ("100644", "blob", head, "organization.yaml"),
    )
    before = sorted(path for path in repository.parent.rglob("*") if ".git" not in path.parts)

    found = loaded(crafted_commit)

    assert sorted(path for path in repository.parent.rglob("*") if ".git" not in path.parts) == before
    assert all(isinstance(problem.message, str) for problem in found.problems)


def test_a_name_that_is_no_text_is_read_all_the_same(repository: Path) -> None:
    write_policy(repository / "policies/acme")
    with open(b"policies/acme/\xff\xfe.yaml", "w", encoding="utf-8") as file:
        file.write("version: 1\nbindings: [{group: odd, organization: viewer}]\n")
    commit()
    assert loaded() == source.load_all([POLICIES])


def test_a_submodule_is_said_and_not_taken_for_an_empty_folder(repository: Path) -> None:
    write_policy(repository / "policies/acme")
    first = commit()
    git("update-index", "--add", "--cacheinfo", f"160000,{first},policies/acme/teams")
    commit(all_of_it=False)
    why = "it is a submodule, whose files are in another repository"
    remedy = "check the path and the disk"
    assert problems(loaded()) == [f"policies/acme/teams: the path cannot be read: {why}; {remedy}"]


def test_a_file_that_is_too_large_is_said_and_not_read(repository: Path) -> None:
    write_policy(repository / "policies/acme")
    (repository / "policies/acme/big.yaml").write_bytes(b"#" * 5_000_000)
    commit()
    assert problems(loaded()) == problems(source.load_all([POLICIES]))
    assert "the file has 5,000,000 bytes" in problems(loaded())[0]


def test_more_files_than_are_read_in_one_go(repository: Path) -> None:
    write_policy(repository / "policies/acme")
    for number in range(150):
        text = f"version: 1\nbindings: [{{group: g{number}, organization: viewer}}]\n"
        (repository / f"policies/acme/{number}.yaml").write_text(text, encoding="utf-8")
    commit()
    assert loaded() == source.load_all([POLICIES])


def test_files_that_a_partial_clone_lacks_are_not_fetched(repository: Path) -> None:
    write_policy(repository / "policies/acme")
    commit()
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{repository}", "partial/.git")
    os.chdir("partial")
    git("config", "core.bare", "false")

    with pytest.raises(ReadError) as caught:
        loaded()

    assert "--refetch" in caught.value.hint
    assert "can't be listed" in caught.value.message


def test_where_two_revisions_part(repository: Path) -> None:
    first = commit()
    git("checkout", "--quiet", "-b", "edit")
    ours = commit()
    git("checkout", "--quiet", "main")
    (repository / "more").write_text("x", encoding="utf-8")
    theirs = commit()
    found = Repository.around(POLICIES)
    assert found.merge_base(theirs, ours, "main") == first


def test_histories_without_a_common_commit_have_no_edit_between_them(repository: Path) -> None:
    one = commit()
    git("checkout", "--quiet", "--orphan", "other")
    (repository / "more").write_text("x", encoding="utf-8")
    other = commit()
    with pytest.raises(SettingsError) as caught:
        Repository.around(POLICIES).merge_base(one, other, "main")
    assert (
        caught.value.message
        == "'main' and the other revision have no commit in common, so no edit lies between them"
    )


@pytest.mark.parametrize("revision", ["nope", "--help", "-x", "", "main:policies", "HEAD~9"], ids=str)
def test_what_is_no_commit_is_said(revision: str) -> None:
    commit()
    with pytest.raises(SettingsError) as caught:
        Repository.around(POLICIES).commit(revision)
    assert caught.value.message == f"git knows no revision '{revision}' here"


def test_a_branch_that_was_not_fetched_has_a_remedy() -> None:
    commit()
    git("remote", "add", "origin", "https://git.example/x")
    with pytest.raises(SettingsError) as caught:
        Repository.around(POLICIES).commit("origin/release/1")
    assert caught.value.hint == "git fetch origin release/1:refs/remotes/origin/release/1"


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path / "x"))
    (tmp_path / "x/y").mkdir(parents=True)
    with pytest.raises(SettingsError) as caught:
        Repository.around(tmp_path / "x/y")
    assert caught.value.message == "no revisions of x/y can be compared: it is not in a git repository"
