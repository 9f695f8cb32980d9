"""`reconciler drift`: what it prints and writes, what it asks of servers, and how it exits."""

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from cli.in_memory import LEDGER, alone, generous, latest, many, ran
from cli.small_world import BINDINGS, acme, named, write_policy
from scim.fake_server import FakeServer, group, user

REPORT = "version: 1\norganization: acme\nmode: report\nprojects: {storefront: {}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


def settled() -> FakeServer:
    """A server on which everybody has what `BINDINGS` give them."""
    return FakeServer(
        [
            user("ada", "org-admin"),
            user("bob", "org-admin"),
            user("cleo", "org-viewer", "project-admin:storefront"),
        ],
        [group("platform", "ada", "bob"), group("eng-web", "cleo")],
    )


def test_drift_exits_3_and_says_so_in_its_first_line() -> None:
    write_policy(Path("policies/acme"))
    done = ran(server := acme(), "drift")
    assert (done.code, done.out.splitlines()[0], done.err) == (3, "drift: 2 people in acme", "")
    assert server.writes == []


def test_no_drift_exits_0() -> None:
    write_policy(Path("policies/acme"))
    done = ran(settled(), "drift")
    assert (done.code, done.out.splitlines()[0], done.err) == (0, "no drift in acme", "")


def test_drift_that_a_mode_leaves_is_drift() -> None:
    write_policy(Path("policies/acme"), REPORT)
    done = ran(acme(), "drift")
    assert (done.code, "mode report leaves it as it is" in done.out) == (3, True)


def test_a_guardrail_that_would_refuse_is_told_and_it_is_drift_all_the_same() -> None:
    write_policy(
        Path("policies/acme"), REPORT.replace("report", "enforce") + "guardrails: {removals: {count: 0}}\n"
    )
    done = ran(acme(), "drift")
    assert (done.code, "a run would be refused by guardrail removals" in done.out) == (3, True)


def test_a_problem_of_policy_is_graver_than_drift_and_both_are_told() -> None:
    write_policy(Path("policies/acme"), bindings=BINDINGS + "  - group: unknown\n    organization: viewer\n")
    done = ran(acme(), "drift")
    first, *_ = done.out.splitlines()
    assert (done.code, first) == (6, "drift: 1 person in acme; 1 problem of policy unresolved")
    document = ran(acme(), "drift", "--format", "json").data
    assert (len(document["organizations"][0]["problems"]), document["failures"]) == (1, [])


def test_an_invalid_policy_is_told_and_no_server_asked() -> None:
    write_policy(Path("policies/acme"), "version: 1\n")
    done = ran(server := acme(), "drift", "--format", "json")
    assert (done.code, done.data["organizations"], len(done.data["problems"]) > 0) == (6, [], True)
    assert server.requests == []


def test_what_can_t_be_looked_at_is_told_beside_what_can_and_is_graver() -> None:
    write_policy(Path("policies/acme"))
    write_policy(Path("policies/globex"), REPORT.replace("acme", "globex"))
    wrong = {"CIRCLECI_SCIM_URL": "https://globex.test/wrong"}
    done = ran({"acme": acme()}, "drift", "--report", "junit.xml", "--report", "drift.json", **wrong)
    assert done.code == 7
    assert done.out.splitlines()[0] == "drift: 2 people in acme; 1 organization could not be looked at"
    assert "\nglobex could not be looked at: " in done.out
    document = json.loads(Path("drift.json").read_text())
    assert [one["organization"] for one in document["organizations"]] == ["acme"]
    assert [(one["organization"], one["exit_code"]) for one in document["failures"]] == [("globex", 7)]
    suites = Xml.parse("junit.xml").iter("testsuite")
    assert [(one.get("name"), one.get("failures"), one.get("errors")) for one in suites] == [
        ("acme", "2", "0"),
        ("globex", "0", "1"),
    ]


def test_what_a_run_left_and_somebody_changed_is_told_with_the_run() -> None:
    generous(Path())
    server = many()
    assert ran(server, "apply").code == 0
    assert ran(server, "drift").code == 0
    server.data["Users"]["u-dan"]["roles"] = [{"value": "org-admin"}]
    run = latest()
    done = ran(server, "drift")
    assert done.code == 3
    assert "dan@acme.example loses everything\n" in done.out
    assert f"    changed by somebody else, after run {run} of " in done.out
    [dan] = ran(server, "drift", "--format", "json").data["organizations"][0]["people"]
    assert (dan["user"], dan["scopes"][0]["cause"]) == ("dan@acme.example", "changed by somebody else")
    assert (dan["scopes"][0]["since"]["run"], dan["scopes"][0]["last_written"]["after"]) == (run, [])


def test_a_ledger_that_was_tampered_with_tells_nothing_and_is_said() -> None:
    generous(Path())
    server = many()
    ran(server, "apply")
    LEDGER.write_text(LEDGER.read_text().replace("ann", "eve"))
    done = ran(server, "drift")
    assert (done.code, done.err.startswith("no run is told: ")) == (0, True)


def test_a_ledger_whose_end_was_cut_off_tells_nothing_and_is_said() -> None:
    generous(Path())
    server = many()
    ran(server, "apply")
    for left in (LEDGER.read_text().splitlines(keepends=True)[0], ""):
        LEDGER.write_text(left)
        done = ran(server, "drift")
        assert (done.code, "unknown, for no ledger tells of any" in done.out) == (0, True)
        assert done.err == (
            f"no run is told: the ledger {LEDGER} can't be trusted: it does not hold the record that "
            f"{LEDGER}.head names\n"
        )


def test_a_ledger_that_was_asked_for_and_is_not_there_is_an_error() -> None:
    write_policy(Path("policies/acme"))
    done = ran(acme(), "drift", "--ledger", "gone.jsonl")
    assert (done.code, done.out) == (2, "")


def test_reports_are_written_beside_what_is_printed() -> None:
    write_policy(Path("policies/acme"))
    files = ["out/drift.txt", "drift.json", "test-results/drift/junit.xml", "drift.html"]
    done = ran(acme(), "drift", *(word for file in files for word in ("--report", file)))
    assert done.code == 3
    assert Path("out/drift.txt").read_text() == done.out
    assert json.loads(Path("drift.json").read_text())["format"] == "reconciler.drift/1"
    cases = Xml.parse(files[2]).iter("testcase")
    assert [case.get("name") for case in cases] == ["cleo@acme.example", "dan@acme.example"]
    assert "<title>drift: 2 people in acme</title>" in Path("drift.html").read_text()


def test_a_report_that_can_t_be_written_is_an_error_after_everything_else() -> None:
    write_policy(Path("policies/acme"))
    Path("folder.xml").mkdir()
    Path("file").write_text("")
    names = ["folder.xml", "file/drift.xml", "good.json"]
    done = ran(acme(), "drift", *(word for name in names for word in ("--report", name)))
    assert (done.code, done.out.splitlines()[0]) == (2, "drift: 2 people in acme")
    assert [name for name in names if name in done.err] == names[:2]
    assert "file/drift.xml: what should be its folder is a file" in done.err
    assert Path("good.json").is_file()


def test_a_device_is_not_replaced_by_a_report() -> None:
    write_policy(Path("policies/acme"))
    Path("full.xml").symlink_to("/dev/full")
    done = ran(acme(), "drift", "--report", "full.xml")
    assert (done.code, "full.xml: it is no regular file" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["drift", "drift.pdf", "drift.sarif", ".xml"])
def test_a_report_whose_ending_says_no_format_of_drift_is_a_usage_error(name: str) -> None:
    done = ran(acme(), "drift", "--report", name)
    assert (done.code, done.out) == (2, "")


# Without names


@pytest.mark.parametrize("output", ["text", "markdown", "json", "junit"])
def test_redacted_drift_names_nobody_on_any_stream_or_in_any_report(output: str) -> None:
    generous(Path())
    server = many()
    assert ran(server, "apply", CIRCLE_USERNAME="cleo").code == 0
    server.data["Users"]["u-dan"]["roles"] = [{"value": "org-admin"}]
    names = ("drift.txt", "drift.md", "drift.json", "drift.xml")
    reports = [part for name in names for part in ("--report", name)]
    done = ran(server, "drift", "--redact", "--format", output, *reports)
    told = [done.out, done.err, *(Path(name).read_text() for name in names)]
    assert done.code == 3
    assert named(told) == []
    assert all("person-" in one for one in told if one != done.err)
    [person] = json.loads(told[-2])["organizations"][0]["people"]
    assert all(person["user"] in report for report in told[2:]), "one name in all reports"


def test_a_redacted_run_says_nothing_of_what_a_server_answered() -> None:
    write_policy(Path("policies/acme"))
    server = acme()
    server.data["Users"]["u-dan"]["roles"] = "dan's roles"
    done = ran(server, "drift", "--redact", "--format", "json")
    assert (done.code, "dan" in done.out + done.err) == (7, False)


@pytest.mark.parametrize("asked", [("--format", "html"), ("--report", "page.html")])
def test_there_is_no_redacted_page(asked: tuple[str, str]) -> None:
    write_policy(Path("policies/acme"))
    done = ran(server := acme(), "drift", "--redact", *asked)
    assert (done.code, done.out, server.requests, Path("page.html").exists()) == (2, "", [], False)
    assert "--redact has no page" in done.err


# What is wrong with the policy


def test_reports_of_every_format_tell_what_is_wrong_with_policy_files() -> None:
    write_policy(Path("policies/acme"), bindings=BINDINGS.replace("admin", "admn"))
    names = ("drift.txt", "drift.md", "drift.json", "drift.xml", "drift.html")
    done = ran(server := acme(), "drift", *(part for name in names for part in ("--report", name)))
    assert (done.code, server.requests) == (6, [])
    assert done.out.splitlines()[:3] == ["nothing is known of drift", "", "the policy is invalid:"]
    for name in names:
        told = Path(name).read_text()
        assert told.count("admn") >= 2, name
        assert "web.yaml" in told, name
    assert json.loads(Path("drift.json").read_text())["problems"][0]["line"] == 4


def test_redacted_reports_tell_on_which_line_of_a_policy_file_something_is_wrong() -> None:
    grant = "grants: [{user: dan@acme.example, dan: x, organization: admn, reason: x, expires: 2999-01-01}]\n"
    write_policy(Path("policies/acme"), bindings=BINDINGS + grant)
    names = ("drift.txt", "drift.md", "drift.json", "drift.xml")
    done = ran(acme(), "drift", "--redact", *(part for name in names for part in ("--report", name)))
    assert done.code == 6
    assert done.err.startswith("policies/acme/web.yaml:8:")
    told = [done.out, done.err, *(Path(name).read_text() for name in names)]
    assert [one for one in told if "something is wrong here" not in one or "dan" in one] == []
