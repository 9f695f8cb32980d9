"""`reconciler review`: whole runs on a server in memory, and what its files prove afterwards."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import repository
from cli.in_memory import LEDGER, Ran, alone, generous, ran, records
from cli.small_world import acme, write_policy
from scim.fake_server import FakeServer, Fault, user

from reconciler import evidence
from reconciler.history import START

REPORTS = tuple(word for end in ("json", "csv", "txt", "html") for word in ("--report", f"review.{end}"))
MARKED = """\
version: 1
reviewed: {date: 2026-01-31, by: ada@acme.example}
bindings:
  - group: platform
    organization: admin
  - group: eng-web
    organization: viewer
    projects: {storefront: admin}
"""
THEN = "2026-11-02T08:30:00+02:00"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy in the current folder, which is in no repository."""
    repository.alone(tmp_path, monkeypatch)
    alone(tmp_path, monkeypatch)
    generous(tmp_path)
    (tmp_path / "policies/acme/web.yaml").write_text(MARKED, encoding="utf-8")
    return tmp_path


def review(*arguments: str, server: FakeServer | None = None) -> Ran:
    """One run, which must not have sent anything that writes."""
    asked = server or acme()
    result = ran(asked, "review", *arguments)
    assert {request.method for request in asked.requests} <= {"GET"}
    return result


def document(name: str = "review.json") -> Any:
    return json.loads(Path(name).read_text(encoding="utf-8"))


def rows(name: str = "review.csv") -> list[dict[str, str]]:
    text = Path(name).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def commit(folder: Path, who: str, message: str) -> str:
    repository.run(folder, "add", "policies")
    author = {"GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": "a@x", "GIT_AUTHOR_DATE": THEN}
    repository.run(folder, "commit", "--quiet", "--message", message, **author)
    return repository.run(folder, "rev-parse", "HEAD")


def test_all_reports_are_of_one_digest_which_the_json_proves() -> None:
    result = review(*REPORTS)
    assert (result.code, result.err) == (0, "")
    found = document()
    digest = found["digest"]
    assert digest == evidence.digest(found)
    assert {row["digest"] for row in rows()} == {digest}
    assert Path("review.txt").read_text(encoding="utf-8") == result.out
    assert f"<code>{digest}</code>" in Path("review.html").read_text(encoding="utf-8")
    assert result.out.endswith(f"digest  {digest}\n")
    assert {path.stat().st_mode & 0o777 for path in Path().glob("review.*")} == {0o600}


def test_each_person_and_scope_has_a_row() -> None:
    review(*REPORTS)
    assert [(row["user"], row["scope"], row["role"], row["given_by"], row["commit"]) for row in rows()] == [
        ("ada@acme.example", "organization", "admin", "binding", "unknown: not in a git repository"),
        ("bob@acme.example", "organization", "admin", "binding", "unknown: not in a git repository"),
        ("cleo@acme.example", "organization", "none", "binding", "unknown: not in a git repository"),
        ("cleo@acme.example", "project storefront", "none", "binding", "unknown: not in a git repository"),
        ("dan@acme.example", "organization", "viewer", "nothing in the policy", ""),
        ("dan@acme.example", "", "", "not the policy's", ""),
    ]
    assert document()["commit"] is None


def test_standard_output_is_the_report_in_any_format() -> None:
    result = review("--format", "json", "--report", "review.csv")
    assert result.data["format"] == "reconciler.review/1"
    assert review("--format", "csv").out.startswith('\ufeff"organization","user",')
    assert result.data["digest"] == rows()[0]["digest"]


def test_what_git_tells_is_evidence(folder: Path) -> None:
    repository.run(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "Ann", "the policy")
    repository.run(folder, "checkout", "--quiet", "-b", "topic")
    (folder / "policies/acme/web.yaml").write_text(MARKED.replace("viewer", "contributor"), encoding="utf-8")
    bob = commit(folder, "Bob", "contributors\n\nReviewed-by: Fay")
    repository.run(folder, "checkout", "--quiet", "main")
    dee = {"GIT_AUTHOR_NAME": "Dee", "GIT_AUTHOR_EMAIL": "d@x"}
    repository.run(folder, "merge", "--quiet", "--no-ff", "-m", "Merge pull request #12", "topic", **dee)
    review(*REPORTS)
    head = repository.run(folder, "rev-parse", "HEAD")
    assert (document()["commit"], document()["dirty"]) == (head, False)
    cleo = next(row for row in rows() if row["user"].startswith("cleo"))
    told = ("commit", "author", "authored", "subject", "approved_by", "merged_by", "merge", "line")
    assert [cleo[name] for name in told] == [
        bob,
        "Bob",
        "2026-11-02T06:30:00Z",
        "contributors",
        "Fay",
        "Dee",
        f"{head} Merge pull request #12",
        "7",
    ]
    (folder / "policies/acme/web.yaml").write_text(MARKED, encoding="utf-8")
    review(*REPORTS)
    assert (document()["commit"], document()["dirty"]) == (head, True)


def test_reviews_that_are_overdue_are_exceptions_and_findings_of_a_plan(folder: Path) -> None:
    file = folder / "policies/acme/organization.yaml"
    file.write_text(f"{file.read_text(encoding='utf-8')}reviews: {{longest: 90}}\n", encoding="utf-8")
    result = review(*REPORTS)
    assert result.code == 0
    overdue = "    policies/acme/web.yaml:5 was due for review by 2026-05-01, which gives 2 roles"
    assert overdue in result.out.splitlines()
    ada = rows()[0]
    assert [ada[name] for name in ("review", "reviewed", "reviewed_by", "review_due")] == [
        "overdue",
        "2026-01-31",
        "ada@acme.example",
        "2026-05-01",
    ]
    plan = ran(acme(), "plan")
    found = (
        "    policies/acme/web.yaml has 2 entries that should have been reviewed again "
        "by 2026-05-01 23:59 UTC, since 2026-05-01 (policies/acme/web.yaml:4); "
        "look at it, then say so: `reviewed: {date: DAY, by: USERNAME}`"
    )
    assert found in plan.out.splitlines()


# The ledger


def test_the_last_write_of_each_role_and_the_head_of_the_ledger_are_told() -> None:
    server = acme()
    assert ran(server, "apply").code == 0
    server.requests.clear()
    assert review(*REPORTS, server=server).code == 0
    assert document()["ledger"] == records()[-1]["hash"]
    run = records()[0]["hash"][:12]
    assert {row["user"][:4]: row["run"] for row in rows() if row["run"]} == {"cleo": run}
    assert rows()[0]["written"] == "unknown: no run of the ledger wrote it"


@pytest.mark.parametrize("cut", ["edited", "cut off"])
def test_on_a_ledger_that_was_tampered_with_no_evidence_is_built(cut: str) -> None:
    assert ran(acme(), "apply").code == 0
    lines = LEDGER.read_text(encoding="ascii").splitlines(keepends=True)
    edited = [line.replace("enforce", "report") for line in lines]
    LEDGER.write_text("".join(edited if cut == "edited" else lines[:-1]), encoding="ascii")
    server = acme()
    result = review(*REPORTS, server=server)
    assert (result.code, result.out, server.requests) == (1, "", [])
    assert "can't be trusted" in result.err
    assert list(Path().glob("review.*")) == []


@pytest.mark.parametrize("name", ["kept.json", "./kept.json", "link.json"])
def test_no_report_takes_the_place_of_the_ledger(name: str) -> None:
    assert ran(acme(), "apply", "--ledger", "kept.json").code == 0
    Path("link.json").symlink_to("kept.json")
    before, server = Path("kept.json").read_bytes(), acme()
    result = review("--ledger", "kept.json", "--report", name, server=server)
    assert (result.code, result.out, server.requests) == (2, "", [])
    assert result.err.endswith(f"Error: --report {Path(name)} is the file of '--ledger' as well.\n")
    assert Path("kept.json").read_bytes() == before


def test_a_ledger_that_was_asked_for_must_be_there() -> None:
    assert review("--ledger", "nowhere.jsonl").code == 2


# What goes wrong


def test_where_the_server_can_t_be_read_no_file_passes_for_evidence() -> None:
    result = review(*REPORTS, server=acme(faults=[Fault("GET", 403, path="/Users")]))
    assert (result.code, result.out) == (7, "")
    assert result.err.endswith("no evidence was written\n")
    assert list(Path().glob("review.*")) == []


def test_where_nothing_was_read_json_says_what_failed(folder: Path) -> None:
    (folder / "policies/acme/web.yaml").write_text("version: 2\n", encoding="utf-8")
    result = review("--format", "json", *REPORTS)
    assert result.code == 6
    assert (result.data["organizations"], len(result.data["problems"])) == ([], 1)
    assert list(Path().glob("review.*")) == []


def test_what_could_not_be_resolved_is_evidence_too(folder: Path) -> None:
    (folder / "policies/acme/more.yaml").write_text(
        "version: 1\nbindings:\n  - {group: gone, organization: viewer}\n", encoding="utf-8"
    )
    result = review(*REPORTS)
    assert result.code == 6
    assert "  not resolved: 1\n    policies/acme/more.yaml:3:5 bindings[0]: " in result.out
    [row] = [row for row in rows() if not row["user"]]
    assert (row["organization"], row["file"], row["line"]) == ("acme", "policies/acme/more.yaml", "3")
    assert row["exceptions"] == "not resolved: the directory has no group 'gone'"
    assert len(document()["organizations"][0]["problems"]) == 1
    assert next(row["given_by"] for row in rows() if row["user"].startswith("dan")) == "held as it is"


def test_an_assertion_that_does_not_hold_is_an_exception_in_every_format(folder: Path) -> None:
    (folder / "policies/acme/few.yaml").write_text(
        "version: 1\nassertions:\n  - {says: Few, at_most: {count: 1, organization: admin}}\n",
        encoding="utf-8",
    )
    words = (
        "has 2 people as admin of the organization, and 'Few' allows 1: ada@acme.example, bob@acme.example"
    )
    result = review(*REPORTS)
    assert f"  to look at: 1\n    acme: {words}\n" in result.out
    [row] = [row for row in rows() if not row["user"]]
    assert (row["file"], row["line"]) == ("policies/acme/few.yaml", "3")
    assert row["exceptions"] == f"to look at: acme {words}"
    assert [one["message"] for one in document()["organizations"][0]["findings"]] == [words]


def test_of_several_organizations_the_one_that_fails_has_a_row_and_the_others_are_whole(folder: Path) -> None:
    head = (folder / "policies/acme/organization.yaml").read_text(encoding="utf-8")
    write_policy(folder / "policies/umbrella", head.replace("acme", "umbrella"), MARKED)
    servers = {"acme": acme(), "umbrella": acme(faults=[Fault("GET", 403, path="/Users")])}
    result = ran(servers, "review", *REPORTS)
    assert result.code == 7
    assert [one["organization"] for one in document()["failures"]] == ["umbrella"]
    assert "umbrella could not be read: " in result.out
    assert (rows()[-1]["organization"], len(rows())) == ("umbrella", 7)


def test_a_report_that_can_t_be_written_is_said() -> None:
    Path("folder.csv").mkdir()
    result = review("--report", "folder.csv", "--report", "review.json")
    assert result.code == 2
    assert result.err.startswith("error: no report could be written to folder.csv: ")
    assert document()["digest"]


# Looked at later


def verify(*arguments: str) -> tuple[int, str, str]:
    server = acme()
    result = review("--verify", *arguments, server=server)
    assert server.requests == []
    return result.code, result.out, result.err


def test_evidence_that_is_as_it_was_written_is_told_so() -> None:
    review(*REPORTS)
    found = document()
    told = (
        f"digest  {found['digest']}\nmade    {found['made']}\ncommit  unknown\nledger  none was read for it\n"
    )
    assert verify("review.json") == (0, f"review.json is as it was written\n{told}", "")


def test_evidence_of_a_ledger_is_looked_up_in_it() -> None:
    assert ran(acme(), "apply").code == 0
    review(*REPORTS)
    head = document()["ledger"]
    assert ran(acme(), "apply").code == 0
    assert verify("review.json")[1].endswith(f"ledger  {head}, a record of {LEDGER}\n")
    LEDGER.rename("kept.jsonl")
    LEDGER.with_name("ledger.jsonl.head").unlink()
    assert verify("review.json")[1].endswith(f"ledger  {head}, not looked for: there is no {LEDGER}\n")
    assert verify("review.json", "--ledger", "kept.jsonl")[0] == 0
    assert ran(acme(), "apply").code == 0
    assert verify("review.json") == (
        1,
        "",
        f"error: the ledger {LEDGER} has no record {head}, on which review.json was built\n"
        "hint: name the ledger that it was built on with --ledger\n",
    )


def test_of_evidence_with_no_record_of_the_ledger_none_is_claimed() -> None:
    assert ran(acme(), "apply").code == 0
    review(*REPORTS)
    for head, code, words in (
        ("", 1, f"the ledger {LEDGER} has no record ,"),
        (START, 0, "no record yet of"),
    ):
        edited = {**document(), "ledger": head}
        text = json.dumps({**edited, "digest": evidence.digest(edited)})
        Path("edited.json").write_text(text, encoding="utf-8")
        result = verify("edited.json")
        assert result[0] == code
        assert words in "".join(result[1:])


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {**found, "commit": "0" * 40},
        lambda found: {**found, "digest": "0" * 64},
        lambda found: {**found, "more": 1},
        lambda found: {key: value for key, value in found.items() if key != "digest"},
        lambda found: {**found, "organizations": [{**found["organizations"][0], "people": []}]},
    ],
    ids=["commit", "digest", "addition", "no digest", "people"],
)
def test_evidence_that_was_edited_is_told_so(change: Any) -> None:
    review(*REPORTS)
    Path("review.json").write_text(json.dumps(change(document())), encoding="utf-8")
    code, out, err = verify("review.json")
    assert (code, out) == (1, "")
    assert err.startswith("error: review.json is not as it was written: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no JSON"),
        (b'{"format": "reconciler.review/1", "format": "reconciler.review/1"}', "it is no JSON"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b"[]", "it does not say that it is reconciler.review/1"),
        (b'{"format": "reconciler.plan/1"}', "it does not say that it is reconciler.review/1"),
        (b'{"format": "reconciler.review/1", "digest": 1}', "its digest is no text"),
    ],
    ids=["empty", "twins", "deep", "a list", "a plan", "a number"],
)
def test_a_file_that_is_no_evidence_is_told_so(content: bytes, reason: str) -> None:
    Path("x.json").write_bytes(content)
    assert verify("x.json") == (
        2,
        "",
        f"error: x.json is no evidence of a review: {reason}\n"
        "hint: name what `reconciler review --report review.json` wrote\n",
    )


def test_a_file_that_is_not_there_is_told_so() -> None:
    assert verify("x.json")[2].startswith(
        "error: x.json is no evidence of a review: it can't be read: no such file or directory\n"
    )
    assert review("--verify", "x.json", "--format", "json").code == 2


def test_hostile_names_do_no_harm_in_any_report() -> None:
    hostile = "=cmd|'/C calc'!A0"
    server = FakeServer(
        [user("dan", "org-viewer", userName=hostile, displayName="\x1b[2J<script>")], acme().groups
    )
    result = review(*REPORTS, server=server)
    assert "\x1b" not in result.out + Path("review.csv").read_text(encoding="utf-8")
    assert {row["user"] for row in rows() if row["id"] == "u-dan"} == {"'=cmd|'/C calc'!A0"}
    assert document()["organizations"][0]["people"][0]["display_name"] == "\x1b[2J<script>"
