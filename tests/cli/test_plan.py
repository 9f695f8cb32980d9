"""`reconciler plan`: whole outputs, streams and exit codes."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli.small_world import BINDINGS, ORGANIZATION, acme, named, run, write_policy
from cli.terminals import ended, on_terminal, start
from e2e.loopback import environment, serving
from scim.fake_server import FakeServer, group, refusal, user

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)[;m]")

TEXT = """\
acme on SERVER, mode enforce
2 people change: 1 gains, 1 loses everything
organization admins: 2 before, 2 after

cleo@acme.example gains
  organization    none -> viewer  group eng-web (policies/acme/web.yaml:6)
  storefront      none -> admin   group eng-web (policies/acme/web.yaml:7)

dan@acme.example loses everything
  organization  viewer -> none    nothing in the policy gives it
"""


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small policy in the current folder, and no connection to anywhere."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if "SCIM" in name]:
        monkeypatch.delenv(name)
    return write_policy(tmp_path / "policies/acme")


@pytest.fixture
def server() -> FakeServer:
    return acme()


@pytest.fixture
def url(server: FakeServer) -> Iterator[str]:
    with serving(server) as base:
        yield base


def plan(server: FakeServer, *arguments: str) -> tuple[int, str, str]:
    with serving(server) as url:
        code, out, err = run(environment(url), "plan", *arguments)
    assert server.writes == []
    return code, out.replace(url, "SERVER"), err.replace(url, "SERVER")


# What it shows


def test_people_come_first_with_what_they_gain_and_lose_and_why(server: FakeServer) -> None:
    code, out, err = plan(server)
    shown, _, fingerprint = out.rpartition("\nfingerprint ")
    assert (code, shown, err) == (0, TEXT, "")
    assert re.fullmatch(r"[0-9a-f]{32}\n", fingerprint)


def test_nothing_to_do_is_said_in_two_lines(server: FakeServer) -> None:
    del server.data["Users"]["u-cleo"], server.data["Users"]["u-dan"]
    server.data["Groups"]["g-eng-web"]["members"] = []
    assert plan(server, "--exit-code") == (
        0,
        "acme on SERVER, mode enforce\nno drift: everybody has what the policy gives them\n",
        "",
    )


def test_drift_is_an_exit_code_only_where_that_was_asked_for(server: FakeServer) -> None:
    assert (plan(server)[0], plan(server, "--exit-code")[0]) == (0, 3)


def test_as_json_it_is_one_document(server: FakeServer) -> None:
    code, out, err = plan(server, "--format", "json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["format"], document["problems"], document["failures"]) == ("reconciler.plan/1", [], [])
    [planned] = document["plans"]
    assert (planned["organization"], planned["server"], planned["mode"]) == ("acme", "SERVER", "enforce")
    assert [(change["user"], change["scopes"]) for change in planned["changes"]] == [
        (
            "cleo@acme.example",
            [scope(None, [], ["viewer"], 6, "organization"), scope("storefront", [], ["admin"], 7)],
        ),
        (
            "dan@acme.example",
            [{"scope": {"project": None}, "before": ["viewer"], "after": [], "why": []}],
        ),
    ]


def scope(
    project: str | None, before: list[str], after: list[str], line: int, path: str = "projects.storefront"
) -> dict[str, object]:
    why = {
        "entry": "binding",
        "name": "eng-web",
        "role": after[0],
        "file": "policies/acme/web.yaml",
        "line": line,
        "path": f"bindings[1].{path}",
        "reason": None,
        "until": None,
        "ended": False,
    }
    return {"scope": {"project": project}, "before": before, "after": after, "why": [why]}


# Where it goes


def test_as_markdown_it_is_one_document_that_begins_with_the_verdict(server: FakeServer) -> None:
    code, out, err = plan(server, "--format", "markdown")
    assert (code, err) == (0, "")
    assert out.startswith(
        "## Plan for `acme`\n\n**2 people change**: 1 gains, 1 loses everything\n\n"
        "- organization admins: 2 before, 2 after\n"
    )
    assert "\n| `dan@acme.example` | loses everything | organization | viewer | none |" in out


def test_each_report_is_in_the_format_of_its_ending_and_tells_the_plan_that_was_shown(
    server: FakeServer,
) -> None:
    names = ("plan.txt", "out/plan.md", "plan.json")
    code, out, err = plan(server, *(part for name in names for part in ("--report", name)))
    text, markdown, document = (Path(name).read_text(encoding="utf-8") for name in names)
    fingerprint = json.loads(document)["plans"][0]["fingerprint"]
    assert (code, err) == (0, "")
    assert re.sub(r"http://\S+(?=,)", "SERVER", text) == out
    assert out.endswith(f"fingerprint {fingerprint}\n")
    assert f"\n- fingerprint `{fingerprint}`\n" in markdown


def test_a_report_that_ends_in_nothing_known_is_a_usage_error(server: FakeServer) -> None:
    code, _, err = plan(server, "--report", "plan.html")
    assert (code, server.requests) == (2, [])
    assert "let it end in .txt, .md, .json" in err


def test_where_no_report_can_be_written_the_plan_file_is_all_the_same(server: FakeServer) -> None:
    Path("plan.md").mkdir()
    code, out, err = plan(server, "--report", "plan.md", "--out", "plan.json")
    assert (code, out.splitlines()[0]) == (2, "acme on SERVER, mode enforce")
    assert err.startswith("error: no report could be written to plan.md: ")
    assert json.loads(Path("plan.json").read_text(encoding="utf-8"))["plans"]


@pytest.mark.parametrize("output", ["markdown", "json"])
def test_what_could_not_be_read_is_in_the_document(output: str, server: FakeServer) -> None:
    server.data["Users"]["u-dan"]["roles"] = "odd"
    code, out, _ = plan(server, "--format", output)
    assert code == 7
    assert "No plan for `acme`" in out if output == "markdown" else json.loads(out)["failures"]


# For the public


@pytest.mark.parametrize("output", ["text", "markdown", "json"])
def test_a_redacted_plan_names_nobody_on_any_stream_or_in_any_report(
    output: str, policy: Path, server: FakeServer
) -> None:
    limits = ORGANIZATION.replace("count: 10", "count: 0")
    (policy / "organization.yaml").write_text(limits, encoding="utf-8")
    names = ("plan.txt", "plan.md", "plan.json")
    reports = [part for name in names for part in ("--report", name)]
    code, out, err = plan(server, "--redact", "--format", output, *reports)
    told = [out, err, *(Path(name).read_text(encoding="utf-8") for name in names)]
    assert code == 4
    assert named(told) == []
    assert all("person-" in one for one in told if one != err)
    users = {one["user"] for one in json.loads(told[-1])["plans"][0]["changes"]}
    assert len(users) == 2
    assert all(user in report for user in users for report in told[2:]), "one name in all reports"


def test_a_redacted_plan_has_its_own_fingerprint_and_its_plan_file_is_whole(server: FakeServer) -> None:
    with serving(server) as url:
        code, out, _ = run(environment(url), "plan", "--redact", "--out", "plan.json", "--format", "json")
        written = json.loads(Path("plan.json").read_text(encoding="utf-8"))
        assert code == 0
        assert json.loads(out)["plans"][0]["fingerprint"] == written["plans"][0]["fingerprint"]
        assert [change["user"] for change in written["plans"][0]["changes"]] == [
            "cleo@acme.example",
            "dan@acme.example",
        ]
        assert run(environment(url), "apply", "plan.json")[0] == 0


def test_a_redacted_run_says_nothing_of_what_a_server_answered(server: FakeServer) -> None:
    server.data["Users"]["u-dan"]["roles"] = "dan's roles"
    code, out, err = plan(server, "--redact", "--format", "markdown")
    assert code == 7
    assert "dan" not in out + err
    assert err.startswith("error: the server or the directory could not be read whole")
    assert "dan" in plan(server)[2]


def test_a_problem_of_a_redacted_plan_is_a_place_and_no_name(policy: Path, server: FakeServer) -> None:
    grant = "grants: [{user: dannn@acme.example, organization: viewer, reason: x, expires: 2999-01-01}]\n"
    limit = ORGANIZATION.replace("{removals:", "{longest_grant: 400000, removals:")
    (policy / "organization.yaml").write_text(limit, encoding="utf-8")
    (policy / "web.yaml").write_text(BINDINGS + grant, encoding="utf-8")
    code, out, err = plan(server, "--redact")
    assert (code, out.splitlines()[0]) == (6, "acme on SERVER, mode enforce, redacted")
    assert "dan" not in out + err
    assert "policies/acme/web.yaml:8:10 grants[0]: something that this names could not be resolved" in out


def test_what_is_wrong_with_a_policy_file_is_redacted_to_its_line(policy: Path, server: FakeServer) -> None:
    (policy / "web.yaml").write_text(
        BINDINGS + "grants: [{user: dan@acme.example, dan: x}]\n", encoding="utf-8"
    )
    code, out, err = plan(server, "--redact", "--format", "json")
    assert (code, server.requests) == (6, [])
    assert "dan" not in out + err
    assert "policies/acme/web.yaml:8:" in err
    assert "something is wrong here" in out


# What is wrong with the policy


@pytest.mark.parametrize("output", ["text", "json"])
def test_every_problem_of_an_invalid_policy_is_told_before_any_server_is_asked(
    output: str, policy: Path, server: FakeServer
) -> None:
    (policy / "web.yaml").write_text(BINDINGS.replace("admin", "admn") + "colour: red\n", encoding="utf-8")
    code, out, err = plan(server, "--format", output)
    assert (code, server.requests) == (6, [])
    assert err.splitlines()[-1] == "error: the policy has 3 problems"
    if output == "text":
        assert out == ""
    else:
        document = json.loads(out)
        assert (document["plans"], document["failures"]) == ([], [])
        assert [problem["line"] for problem in document["problems"]] == [4, 7, 8]


def test_a_group_that_the_directory_does_not_know_is_told_and_nobody_loses_what_it_could_give(
    policy: Path, server: FakeServer
) -> None:
    (policy / "web.yaml").write_text(BINDINGS.replace("eng-web", "eng-wbe"), encoding="utf-8")
    code, out, err = plan(server)
    problem = (
        "policies/acme/web.yaml:5:5 bindings[1]: the directory has no group 'eng-wbe', "
        "did you mean 'eng-web'?"
    )
    assert (code, err) == (6, f"{problem}\nerror: the policy has 1 problem\n")
    assert "dan@acme.example" not in out
    assert problem in out


def test_a_single_file_is_refused_for_the_rest_would_read_as_nobody(server: FakeServer) -> None:
    assert plan(server, "policies/acme/web.yaml") == (
        2,
        "",
        "error: policies/acme/web.yaml is no folder, and a plan is of an organization as a whole\n"
        "hint: name the folder that holds its organization.yaml\n",
    )
    assert server.requests == []


@pytest.mark.parametrize("arguments", [["nowhere"], ["--format", "json", "nowhere"]], ids=["text", "json"])
def test_a_folder_that_is_not_there_is_told(arguments: list[str], server: FakeServer) -> None:
    code, _, err = plan(server, *arguments)
    assert (code, err) == (
        6,
        "nowhere: there is no such file or folder; give the folder of an organization, "
        "or one that holds such folders\nerror: the policy has 1 problem\n",
    )


# Guardrails


def test_a_plan_that_a_guardrail_refuses_is_shown_with_the_reason(policy: Path, server: FakeServer) -> None:
    limits = ORGANIZATION.replace("count: 10", "count: 0")
    (policy / "organization.yaml").write_text(limits, encoding="utf-8")
    code, out, err = plan(server, "--exit-code")
    assert code == 4
    assert "dan@acme.example loses everything" in out
    assert "refused by guardrail removals: " in out
    assert err.splitlines()[0] == "error: nothing was written to acme: refused by removals"
    assert err.splitlines()[1].startswith("hint: ")


# As of another moment

CLOCK = """\
version: 1
grants:
  - user: dan@acme.example
    organization: viewer
    reason: INC-1
    starts: 2998-01-02T12:00:00Z
    expires: 2999-03-04
people:
  - {user: ada@acme.example, ends: 2999-03-05T06:00:00+02:00}
  - {user: bob@acme.example, classes: [contractor], ends: 2999-03-04}
"""
CLASS = "classes: {contractor: {highest_role: contributor}}\n"


def clock(policy: Path) -> Path:
    """The policy with a grant that Dan needs for what he has, and two ends, all of them far away."""
    (policy / "day.yaml").write_text(CLOCK, encoding="utf-8")
    (policy / "organization.yaml").write_text(
        ORGANIZATION.replace("{removals:", "{longest_grant: 1000, minimum_admins: 1, removals:") + CLASS,
        encoding="utf-8",
    )
    return policy


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2998-01-02T11:59:59Z", "dan@acme.example loses everything"),
        ("2998-01-02T12:00:00Z", ""),
        ("2998-01-02", ""),
        ("2999-03-04", ""),
        ("2999-03-04T23:59:59.999999Z", ""),
        ("2999-03-05T00:00:00Z", "dan@acme.example loses everything"),
    ],
    ids=["before it", "its first moment", "its first day", "its last day", "its last moment", "after it"],
)
def test_a_plan_as_of_another_moment_shows_what_the_clock_will_do(
    at: str, shown: str, policy: Path, server: FakeServer
) -> None:
    clock(policy)
    _, out, _ = plan(server, "--at", at)
    assert ("\ndan@acme.example" in out) is bool(shown)  # further in stands what ends soon
    assert shown in out


AS_OF = """\
acme on SERVER, mode enforce, as of 2999-03-05 23:59 UTC
4 people change: 1 gains, 3 lose everything
organization admins: 2 before, 0 after; no longer: ada@acme.example, bob@acme.example

ada@acme.example loses everything
  organization   admin -> none    access until 2999-03-05 04:00 UTC (policies/acme/day.yaml:9)

bob@acme.example loses everything
  organization   admin -> none    contractor until 2999-03-04 23:59 UTC (policies/acme/day.yaml:10)

cleo@acme.example gains
  organization    none -> viewer  group eng-web (policies/acme/web.yaml:6)
  storefront      none -> admin   group eng-web (policies/acme/web.yaml:7)

dan@acme.example loses everything
  organization  viewer -> none    temporary grant ended 2999-03-04 23:59 UTC, INC-1 (policies/acme/day.yaml:4)
"""


def test_a_plan_as_of_another_moment_says_so_and_shows_whose_time_is_over_by_then(
    policy: Path, server: FakeServer
) -> None:
    clock(policy)
    code, out, err = plan(server, "--at", "2999-03-05")
    refusal = (
        "refused by guardrail minimum_admins: the number of organization admins would fall from 2 to 0; "
        "at least 1 must stay\n  people: ada@acme.example, bob@acme.example\n"
    )
    shown, _, rest = out.partition("\nrefused")
    assert (code, shown, f"refused{rest}".startswith(refusal)) == (4, AS_OF, True)
    assert "fingerprint" not in rest.replace("--approve", ""), "there is nothing to expect or approve"
    assert err.startswith("error: nothing was written to acme: refused by minimum_admins\n")


def test_what_a_class_caps_is_told_with_the_class(policy: Path, server: FakeServer) -> None:
    clock(policy)
    _, out, _ = plan(server)
    assert (
        "\nbob@acme.example loses\n  organization   admin -> contributor  "
        "group platform (policies/acme/web.yaml:4), contributor at most as contractor\n"
    ) in out


def test_as_json_the_moment_stands_in_each_plan_and_apply_takes_none_of_them(
    policy: Path, server: FakeServer
) -> None:
    clock(policy)
    _, out, _ = plan(server, "--at", "2999-03-05", "--format", "json")
    (planned,) = json.loads(out)["plans"]
    assert planned["at"] == "2999-03-05T23:59:59.999999+00:00"
    (bob,) = (change for change in planned["changes"] if change["user"] == "bob@acme.example")
    assert bob["scopes"][0]["why"][0] == {
        "entry": "end",
        "name": "bob@acme.example",
        "role": "admin",
        "file": "policies/acme/day.yaml",
        "line": 10,
        "path": "people[1]",
        "reason": None,
        "until": "2999-03-04T23:59:59.999999+00:00",
        "ended": True,
        "class": "contractor",
    }
    Path("plan.json").write_text(out, encoding="utf-8")
    with serving(server) as url:
        code, _, err = run(environment(url), "apply", "plan.json")
    assert (code, server.writes) == (2, [])
    assert err.startswith("error: plan.json is no plan that can be applied: plans[0]: ")


def test_a_plan_as_of_another_moment_is_not_for_apply(server: FakeServer) -> None:
    code, out, err = plan(server, "--at", "2999-03-05", "--out", "plan.json")
    assert (code, out, server.requests) == (2, "", [])
    assert err.splitlines()[-1] == (
        "Error: --out and --at exclude each other: a plan as of another moment is not for `apply`."
    )
    assert not Path("plan.json").exists()


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        ("tomorrow", "'tomorrow' is not a date or a time; write a date such as"),
        ("2999-02-30", "'2999-02-30' is on a day that no calendar has; write a date such as"),
        ("2999-03-05T10:00:00", "'2999-03-05T10:00:00' has no zone; write 2999-03-05T10:00:00Z for UTC, or"),
    ],
)
def test_what_is_no_moment_is_a_usage_error(at: str, wrong: str, server: FakeServer) -> None:
    code, out, err = plan(server, "--at", at)
    assert (code, out, server.requests) == (2, "", [])
    assert f"Error: Invalid value for '--at': {wrong}" in err


# The connection

TOKEN = "tok-12345"
GOOD = "https://scim.example/v2"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param({}, "CIRCLECI_SCIM_URL is not set", id="nothing"),
        pytest.param({"CIRCLECI_SCIM_URL": GOOD}, "CIRCLECI_SCIM_TOKEN is not set", id="no token"),
        pytest.param({"CIRCLECI_SCIM_TOKEN": TOKEN}, "CIRCLECI_SCIM_URL is not set", id="no URL"),
        pytest.param(
            {"CIRCLECI_SCIM_URL": GOOD, "CIRCLECI_SCIM_TOKEN": f"{TOKEN}\nx"},
            "the token of CIRCLECI_SCIM_TOKEN has a line break",
            id="token with a line break",
        ),
        pytest.param(
            {"CIRCLECI_SCIM_URL": "http://scim.example/v2", "CIRCLECI_SCIM_TOKEN": TOKEN},
            "CIRCLECI_SCIM_URL would send the token unencrypted to scim.example: "
            "http:// is for loopback only",
            id="http to another host",
        ),
        pytest.param(
            {"CIRCLECI_SCIM_URL": f"https://me:{TOKEN}@scim.example/v2", "CIRCLECI_SCIM_TOKEN": TOKEN},
            "CIRCLECI_SCIM_URL holds credentials, which belong in no URL: "
            "the token has a variable of its own",
            id="URL with credentials",
        ),
        pytest.param(
            {"CIRCLECI_SCIM_URL": f"https://scim.example/v2?key={TOKEN}", "CIRCLECI_SCIM_TOKEN": TOKEN},
            "CIRCLECI_SCIM_URL has a query or a fragment, which a base URL can't have",
            id="URL with a query",
        ),
        pytest.param(
            {"CIRCLECI_SCIM_URL": GOOD, "CIRCLECI_SCIM_TOKEN_FILE": "/no/such/file"},
            "the token file that CIRCLECI_SCIM_TOKEN_FILE names can't be read: No such file or directory",
            id="token file that is missing",
        ),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_connection_that_is_wrong_is_a_usage_error_that_leaks_nothing(
    command: str, variables: dict[str, str], message: str
) -> None:
    code, out, err = run(variables, command)
    assert (code, out) == (2, "")
    error, hint = err.splitlines()
    assert error == f"error: {message}"
    assert hint.startswith("hint: ")
    assert TOKEN not in err


def test_the_documents_tell_a_failure_too() -> None:
    code, out, _ = run({}, "plan", "--format", "json")
    assert code == 2
    assert json.loads(out) == {
        "format": "reconciler.plan/1",
        "policy": "policies",
        "plans": [],
        "failures": [
            {
                "organization": "acme",
                "message": "CIRCLECI_SCIM_URL is not set",
                "hint": "set CIRCLECI_SCIM_URL to the base URL of the SCIM server, "
                "such as https://scim.example.com/scim/v2",
                "exit_code": 2,
            }
        ],
        "problems": [],
    }


# Several organizations


def test_an_organization_that_fails_does_not_stop_the_others(
    policy: Path, server: FakeServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = FakeServer(faults=[refusal("GET", 401, detail="no")])
    write_policy(policy.parent / "aaa", ORGANIZATION.replace("organization: acme", "organization: aaa"))
    with serving(broken) as other:
        monkeypatch.setenv("AAA_CIRCLECI_SCIM_URL", other)
        monkeypatch.setenv("AAA_CIRCLECI_SCIM_TOKEN", "of-another")
        code, out, err = run(environment(url), "plan", "--exit-code")
    assert code == 7
    assert out.startswith(f"acme on {url}, mode enforce\n")
    assert err.startswith(f"error: could not read {other}/ServiceProviderConfig: ")
    assert [request.headers["authorization"] for request in broken.requests] == ["Bearer of-another"]
    assert server.writes == []


# Streams and terminals


def test_on_a_terminal_there_is_a_table(url: str) -> None:
    code, seen = on_terminal(environment(url), "plan")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()
    header = next(line for line in lines if line.startswith("Person"))
    assert header.split() == ["Person", "Scope", "Before", "After", "Why"]
    cleo = next(line for line in lines if line.startswith("cleo"))
    assert re.split(r"  +", cleo.rstrip()) == [
        "cleo@acme.example",
        "gains",
        "organization",
        "none",
        "viewer",
        "group eng-web (policies/acme/web.yaml:6)",
    ]
    assert code == 0
    assert COLOUR.search(seen)


def test_on_a_terminal_without_colours_there_are_none(url: str) -> None:
    _, seen = on_terminal({**environment(url), "NO_COLOR": "1"}, "plan")
    assert "Person" in seen
    assert not COLOUR.search(seen)


def test_on_a_terminal_that_obeys_nothing_there_are_no_escapes(url: str) -> None:
    _, seen = on_terminal({**environment(url), "TERM": "dumb"}, "plan")
    assert "cleo@acme.example" in seen
    assert ESCAPE not in seen


@pytest.mark.parametrize("columns", [20, 40, 80, 100, 120, 200])
def test_names_stay_whole_however_narrow_the_terminal_is(columns: int, server: FakeServer) -> None:
    long = "maria-magdalena.de-la-concepcion-y-todos-los-santos@subsidiary.acme.example"
    server.data["Users"]["u-cleo"]["userName"] = long
    server.data["Users"]["u-dan"]["userName"] = "李雷[/red]@acme.example"
    with serving(server) as url:
        _, seen = on_terminal(environment(url), "plan", columns=columns)
    assert long in seen
    assert "李雷[/red]@acme.example" in seen
    assert "…" not in seen


def test_piped_it_is_plain_text_whatever_the_environment_says_of_colours(url: str) -> None:
    process = start({**environment(url), "FORCE_COLOR": "1"}, "plan")
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert ESCAPE not in out


def test_a_reader_that_goes_away_is_no_reason_for_a_traceback(url: str) -> None:
    process = start(environment(url), "plan")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, "")


def test_ctrl_c_ends_a_plan_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        process = start(environment(f"http://127.0.0.1:{silent.getsockname()[1]}"), "plan")
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            assert ended(process) == (130, "", "error: interrupted\n")


def test_a_name_cannot_speak_to_the_terminal(url: str, server: FakeServer) -> None:
    server.data["Users"]["u-cleo"]["userName"] = "cleo\x1b[2J\nerror: none"
    code, out, _ = run(environment(url), "plan")
    assert code == 0
    assert "\ncleo\\x1b[2J\\nerror: none gains\n" in out


def test_who_is_unknown_is_told_with_where_it_stands(policy: Path, server: FakeServer) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    (policy / "day.yaml").write_text(
        "version: 1\ngrants:\n  - user: clio@acme.example\n    organization: viewer\n"
        f"    reason: INC-1\n    expires: {tomorrow}\n",
        encoding="utf-8",
    )
    code, _, err = plan(server)
    assert code == 6
    assert err.splitlines()[0] == (
        "policies/acme/day.yaml:3:5 grants[0]: there is no person 'clio@acme.example' on the server, "
        "did you mean 'cleo@acme.example'? people are named by their userName"
    )


def test_a_group_that_is_there_twice_is_told_with_both_ids() -> None:
    twins = [group("platform", "ada", "bob"), group("eng-web", "cleo"), group("Eng-Web", "dan")]
    server = acme(users=[user("ada", "org-admin"), user("bob", "org-admin"), user("cleo")], groups=twins[:2])
    server.data["Groups"]["g-2"] = {**twins[2], "id": "g-2", "members": []}
    code, _, err = plan(server)
    assert code == 6
    assert err.splitlines()[0] == (
        "policies/acme/web.yaml:5:5 bindings[1]: the directory has 2 groups 'eng-web' "
        "(ids g-2, g-eng-web); name the one that is meant by its id: `group: {name: …, id: …}`"
    )


# The ledger

LIVES = (
    ORGANIZATION
    + """\
directory: {kind: file}
lifecycle: {leavers: deactivate, grace: 3}
"""
)
NO_LEDGER_OF_OURS = "no record of ours\n"


@pytest.mark.parametrize(
    ("organization", "read"),
    [(LIVES, True), (LIVES.replace(", grace: 3", ""), False), (ORGANIZATION, False)],
    ids=["a grace", "leavers without one", "no lifecycle"],
)
def test_the_ledger_is_read_only_where_leavers_have_a_grace_or_are_deleted(
    organization: str, read: bool, policy: Path, server: FakeServer, tmp_path: Path
) -> None:
    (policy / "organization.yaml").write_text(organization, encoding="utf-8")
    (tmp_path / "mine.jsonl").write_text(NO_LEDGER_OF_OURS, encoding="utf-8")
    _, _, err = plan(server, "--ledger", "mine.jsonl")
    assert ("line 1 of the ledger mine.jsonl can't be trusted: it is no JSON" in err) is read


def test_a_ledger_that_was_tampered_with_yields_no_plan(
    policy: Path, server: FakeServer, tmp_path: Path
) -> None:
    (policy / "organization.yaml").write_text(LIVES, encoding="utf-8")
    (tmp_path / "mine.jsonl").write_text(NO_LEDGER_OF_OURS, encoding="utf-8")
    assert plan(server, "--ledger", "mine.jsonl") == (
        1,
        "",
        "error: line 1 of the ledger mine.jsonl can't be trusted: it is no JSON\n"
        "hint: `reconciler history --verify` shows all that is wrong; keep the file as evidence\n",
    )


def test_a_ledger_that_is_not_there_proves_nothing(policy: Path, server: FakeServer) -> None:
    (policy / "organization.yaml").write_text(LIVES, encoding="utf-8")
    _, _, err = plan(server, "--ledger", "mine.jsonl")
    assert "ledger" not in err
