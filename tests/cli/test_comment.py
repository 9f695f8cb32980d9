"""`reconciler comment`: one comment on a pull request, whatever happens on the way."""

import io
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from cli.small_world import BINDINGS, acme, write_policy
from click.testing import CliRunner
from scim.fake_server import BASE, SECRET, Time
from standins import code_hosts
from standins.code_hosts import BOT, TOKEN, Bitbucket, CodeHost, Fault, GitHub, GitLab, PullRequest

from reconciler.cli import cli
from reconciler.http.reach import Reach

MARKER = "[reconciler-comment]: # (plan)"
SHA = "5f2c0d1e9a7b4c3d8e6f00112233445566778899"
CIRCLECI = {"CIRCLECI": "true", "CIRCLE_SHA1": SHA, "CIRCLE_BRANCH": "more-admins"}

ON_GITHUB = {
    **CIRCLECI,
    "CIRCLE_PULL_REQUEST": "https://github.com/acme/access/pull/7",
    "GITHUB_TOKEN": TOKEN,
}
ON_GITLAB = {**CIRCLECI, "CIRCLE_REPOSITORY_URL": "git@gitlab.com:acme/access.git", "GITLAB_TOKEN": TOKEN}
ON_BITBUCKET = {
    **CIRCLECI,
    "CIRCLE_PULL_REQUEST": "https://bitbucket.org/acme/access/pull-requests/7",
    "BITBUCKET_TOKEN": TOKEN,
}
REPOSITORY = {"CIRCLE_REPOSITORY_URL": "git@github.com:acme/access.git"}


class Ran(NamedTuple):
    """What one run of the program came to."""

    code: int
    out: str
    err: str


class Case(NamedTuple):
    """A host, what CI tells of it, and where its comment 101 is."""

    kind: type[CodeHost]
    environ: Mapping[str, str]
    address: str
    edit: str


CASES = [
    pytest.param(
        Case(GitHub, ON_GITHUB, "https://github.com/acme/access/pull/7#issuecomment-101", "PATCH"),
        id="github",
    ),
    pytest.param(
        Case(GitLab, ON_GITLAB, "https://gitlab.com/acme/access/-/merge_requests/7#note_101", "PUT"),
        id="gitlab",
    ),
    pytest.param(
        Case(Bitbucket, ON_BITBUCKET, "https://bitbucket.org/acme/access/pull-requests/7#comment-101", "PUT"),
        id="bitbucket",
    ),
]
every_host = pytest.mark.parametrize("case", CASES)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report in the current folder, and no pipeline around it."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("CIRCLE", "CI_", "GITHUB_", "GITLAB_", "BITBUCKET_", "SSL_")) or "SCIM" in name:
            monkeypatch.delenv(name)
    report("## 1 person gains")
    return tmp_path


def report(text: str) -> None:
    Path("plan.md").write_text(text + "\n", encoding="utf-8")


def comment(
    world: CodeHost,
    environ: Mapping[str, str],
    *arguments: str,
    stdin: bytes | None = None,
    time: Time | None = None,
    **more: str,
) -> Ran:
    """One run, checked for what no run may ever do: print the token, send it elsewhere, show a traceback."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host in ("api.github.com", "gitlab.com", "api.bitbucket.org", "api.test")
        return world.answer(request)

    result = CliRunner().invoke(
        cli,
        ["comment", *(arguments or ("plan.md",))],
        env={**environ, **more},
        input=io.BytesIO(stdin) if stdin is not None else None,
        obj=Reach(httpx.MockTransport(answer), (time or Time()).patience()),
    )
    assert TOKEN not in result.output
    assert isinstance(result.exception, SystemExit | None), result.exception
    return Ran(int(result.exit_code), result.stdout, result.stderr)


# -- once, and then edited ---------------------------------------------------------------------------


@every_host
def test_three_pushes_make_one_comment_that_is_edited_twice(case: Case) -> None:
    world = case.kind()
    world.add("ann", "looks good to me")
    world.comments[0].id, world.next_id = 50, 100
    said = []
    for people in (1, 2, 3):
        report(f"## {people} people gain")
        said.append(comment(world, case.environ))
    assert [one.code for one in said] == [0, 0, 0]
    assert [one.out for one in said] == [case.address + "\n"] * 3
    assert [one.err for one in said] == [
        f"comment 'plan' of pull request 7: {did}\n" for did in ("posted", "edited", "edited")
    ]
    assert world.texts == ["looks good to me", f"{MARKER}\n\n## 3 people gain"]
    assert world.writes == ["POST", case.edit, case.edit]


@every_host
def test_the_same_text_is_not_written_again(case: Case) -> None:
    world = case.kind()
    comment(world, case.environ)
    again = comment(world, case.environ)
    assert (again.code, again.out) == (0, case.address + "\n")
    assert again.err == "comment 'plan' of pull request 7: unchanged\n"
    assert world.writes == ["POST"]


@every_host
def test_a_comment_is_found_on_any_page(case: Case) -> None:
    world = case.kind(page=3)
    comment(world, case.environ)
    for number in range(10):
        world.add("ann", f"remark {number}")
    report("changed")
    assert comment(world, case.environ).out == case.address + "\n"
    assert world.texts[0] == f"{MARKER}\n\nchanged"
    assert len(world.texts) == 11


@every_host
def test_a_comment_that_was_deleted_is_made_anew(case: Case) -> None:
    world = case.kind()
    comment(world, case.environ)
    world.comments[0].deleted = True
    assert comment(world, case.environ).err.endswith(": posted\n")
    assert world.texts == [f"{MARKER}\n\n## 1 person gains"]


@every_host
def test_a_comment_that_is_deleted_while_it_is_edited_is_made_anew(case: Case) -> None:
    world = case.kind()
    comment(world, case.environ)
    report("changed")
    world.faults.append(code_hosts.status(case.edit, 404))
    assert comment(world, case.environ).code == 0
    assert world.writes == ["POST", case.edit, "POST", "DELETE"]
    assert world.texts == [f"{MARKER}\n\nchanged"]


@every_host
def test_comments_of_several_names_do_not_meet(case: Case) -> None:
    world = case.kind()
    comment(world, case.environ)
    comment(world, case.environ, "plan.md", "--name", "drift.eu-1")
    assert world.texts == [
        f"[reconciler-comment]: # ({name})\n\n## 1 person gains" for name in ("plan", "drift.eu-1")
    ]


# -- whose comment it is -----------------------------------------------------------------------------


@every_host
def test_nobody_elses_comment_is_edited_though_it_has_the_marker(case: Case) -> None:
    world = case.kind()
    forged = f"{MARKER}\n\nnothing changes, merge it"
    world.add("mallory", forged)
    world.comments[0].id = 50
    world.next_id = 100
    assert comment(world, case.environ).code == 0
    world.add("mallory", forged)
    report("changed")
    assert comment(world, case.environ).out == case.address + "\n"
    assert world.texts == [forged, f"{MARKER}\n\nchanged", forged]


def test_an_app_of_github_knows_its_own_comments() -> None:
    world = GitHub("github-actions[bot]")
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/access",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_SHA": SHA,
        "GITHUB_TOKEN": TOKEN,
    }
    world.add("", f"{MARKER}\n\nof an account that is deleted")
    for text in ("one", "two"):
        report(text)
        assert comment(world, environ).code == 0
    assert world.texts == [f"{MARKER}\n\nof an account that is deleted", f"{MARKER}\n\ntwo"]


def test_an_api_token_of_atlassian_is_sent_with_its_email() -> None:
    world = Bitbucket()
    world.email = "bot@acme.example"
    for text in ("one", "two"):
        report(text)
        assert comment(world, ON_BITBUCKET, BITBUCKET_EMAIL="bot@acme.example").code == 0
    assert world.texts == [f"{MARKER}\n\ntwo"]


# -- two at once -------------------------------------------------------------------------------------


@every_host
def test_of_two_comments_the_newest_stays_and_that_is_said(case: Case) -> None:
    world = case.kind()
    world.add(BOT, f"{MARKER}\n\nold")
    world.add(BOT, f"{MARKER}\n\nnew")
    ran = comment(world, case.environ)
    assert (ran.code, ran.out) == (0, case.address.replace("101", "102") + "\n")
    assert ran.err == (
        "comment 101, a second one of this name, was deleted\ncomment 'plan' of pull request 7: edited\n"
    )
    assert world.texts == [f"{MARKER}\n\n## 1 person gains"]


@every_host
def test_two_runs_at_once_leave_one_comment(case: Case) -> None:
    world = case.kind()

    def other() -> None:
        world.before_post = lambda: None
        assert comment(world, case.environ).code == 0
        report("of the second")

    world.before_post = other
    assert comment(world, case.environ).code == 0
    assert world.texts == [f"{MARKER}\n\n## 1 person gains"]
    assert [one.id for one in world.comments if not one.deleted] == [102]


def test_a_second_comment_that_may_not_be_deleted_is_said() -> None:
    world = GitHub()
    world.add(BOT, f"{MARKER}\n\nold")
    world.add(BOT, f"{MARKER}\n\nnew")
    world.faults.append(code_hosts.status("DELETE", 403))
    ran = comment(world, ON_GITHUB)
    assert ran.code == 0
    assert ran.err.startswith(
        "comment 101, a second one of this name, stays: could not delete https://api.github.com"
    )


# -- what fails --------------------------------------------------------------------------------------


@every_host
def test_a_post_whose_answer_is_lost_is_looked_for_before_it_is_repeated(case: Case) -> None:
    world = case.kind()
    world.faults.append(code_hosts.lost("POST"))
    assert comment(world, case.environ).code == 0
    assert world.writes == ["POST"]
    assert world.texts == [f"{MARKER}\n\n## 1 person gains"]


@every_host
def test_a_post_that_never_arrived_is_sent_once_more(case: Case) -> None:
    world = case.kind()
    world.faults += [code_hosts.never("POST")]
    assert comment(world, case.environ).code == 0
    assert world.writes == ["POST", "POST"]
    assert world.texts == [f"{MARKER}\n\n## 1 person gains"]


@every_host
def test_a_post_that_an_error_answers_is_looked_for_and_then_sent_once_more(case: Case) -> None:
    world = case.kind()
    world.faults.append(code_hosts.status("POST", 502))
    assert comment(world, case.environ).code == 0
    assert world.writes == ["POST", "POST"]
    world.comments.clear()
    world.faults += [code_hosts.status("POST", 502)] * 2
    ran = comment(world, case.environ)
    assert (ran.code, ran.out) == (1, "")
    assert "502 Bad Gateway" in ran.err


def test_where_the_token_may_not_edit_its_own_comment_there_is_no_second_one() -> None:
    world = GitHub()
    comment(world, ON_GITHUB)
    report("changed")
    world.faults.append(code_hosts.status("PATCH", 403))
    ran = comment(world, ON_GITHUB)
    assert (ran.code, ran.out, world.writes) == (1, "", ["POST", "PATCH"])
    assert "it takes the right to write pull requests" in ran.err


def test_a_token_that_is_not_told_whose_it_is_deletes_nothing_unless_it_wrote_something() -> None:
    world = Bitbucket()
    for _ in range(2):
        world.add("mallory", f"{MARKER}\n\n## 1 person gains")
    assert comment(world, ON_BITBUCKET).code == 0
    assert world.writes == []


def test_a_token_that_github_does_not_know_the_owner_of_writes_nothing() -> None:
    world = GitHub(token_author="")
    ran = comment(world, ON_GITHUB)
    assert (ran.code, ran.err.splitlines()[0]) == (1, "error: GitHub does not tell whose token it is")


@every_host
def test_an_edit_is_repeated_for_it_does_no_more_the_second_time(case: Case) -> None:
    world = case.kind()
    comment(world, case.environ)
    report("changed")
    world.faults += [code_hosts.lost(case.edit), code_hosts.status(case.edit, 502)]
    assert comment(world, case.environ).code == 0
    assert world.writes == ["POST", case.edit, case.edit, case.edit]
    assert world.texts == [f"{MARKER}\n\nchanged"]


@every_host
@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (401, "401 Unauthorized", "the token is wrong or has expired"),
        (403, "403 Forbidden", "may not do that"),
        (404, "404 Not Found", "is there such a"),
        (302, "redirects to 'evil.example' (302 Found)", "was the repository renamed?"),
    ],
)
def test_a_refusal_is_told_with_what_to_look_at(case: Case, status: int, words: str, hint: str) -> None:
    world = case.kind()
    world.faults.append(code_hosts.status("GET", status, Location=f"https://evil.example/{TOKEN}"))
    ran = comment(world, case.environ)
    assert (ran.code, ran.out) == (1, "")
    error, advice = ran.err.splitlines()
    assert error.startswith("error: could not list https://")
    assert words in error
    assert hint in advice
    assert world.writes == []


@every_host
def test_a_token_that_is_repeated_in_a_refusal_is_not_shown(case: Case) -> None:
    world = case.kind()
    world.faults.append(Fault("POST", lambda _: httpx.Response(400, json={"message": f"bad token {TOKEN}"})))
    ran = comment(world, case.environ)
    assert ran.code == 1
    assert "bad token ***" in ran.err


@every_host
@pytest.mark.parametrize("content", [b"<html>proxy</html>", b'{"values": 3}', b"[3]", b'[{"id": "x"}]', b""])
def test_an_answer_that_makes_no_sense_is_never_no_comments(case: Case, content: bytes) -> None:
    world = case.kind()
    world.faults.append(Fault("GET", lambda _: httpx.Response(200, content=content)))
    ran = comment(world, case.environ)
    assert (ran.code, ran.out, world.writes) == (1, "", [])


@every_host
def test_pages_that_lead_elsewhere_or_around_are_not_followed(case: Case) -> None:
    for target, words in (
        ("https://evil.example/next", "the next page is at 'evil.example', where the token must not go"),
        ("?page=1", "a page leads to a page that was read before"),
    ):

        def spoilt(_: Callable[[], httpx.Response], target: str = target) -> httpx.Response:
            if case.kind is Bitbucket:
                return httpx.Response(200, json={"values": [], "next": target})
            return httpx.Response(200, json=[], headers={"Link": f'<{target}>; rel="next"'})

        world = case.kind()
        world.faults += [Fault("GET", spoilt)] * 3
        ran = comment(world, case.environ)
        assert (ran.code, world.writes) == (1, [])
        assert words in ran.err


@pytest.mark.parametrize(
    "headers",
    [
        {"status": 403, "Retry-After": "30"},
        {"status": 429, "Retry-After": "30"},
        {
            "status": 403,
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "1795176029",
            "Date": "Fri, 20 Nov 2026 12:00:00 GMT",
        },
    ],
    ids=["secondary", "secondary by 429", "primary"],
)
def test_githubs_limits_are_waited_for(headers: dict[str, Any]) -> None:
    world, time = GitHub(), Time()
    number = headers.pop("status")
    world.faults.append(code_hosts.status("POST", number, **headers))
    assert comment(world, ON_GITHUB, time=time).code == 0
    assert world.writes == ["POST", "POST"]
    assert time.slept == [30.0]


def test_a_limit_that_ends_too_late_is_told() -> None:
    world = GitHub()
    limits = {
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1795179600",
        "Date": "Fri, 20 Nov 2026 12:00:00 GMT",
    }
    world.faults.append(code_hosts.status("GET", 403, **limits))
    ran = comment(world, ON_GITHUB)
    assert ran.code == 1
    assert "waiting another 3601 s would exceed the 120 s a request may take" in ran.err


def test_a_server_that_stays_broken_is_given_up() -> None:
    world = GitHub()
    world.faults += [code_hosts.status("GET", 503)] * 9
    ran = comment(world, ON_GITHUB)
    assert (ran.code, ran.out) == (1, "")
    assert "503 Service Unavailable" in ran.err
    assert len(world.asked) == 6


# -- which pull request ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "environ"),
    [
        (GitHub, {**REPOSITORY, "GITHUB_TOKEN": TOKEN}),
        (GitLab, {"CIRCLE_REPOSITORY_URL": "git@gitlab.com:acme/access.git", "GITLAB_TOKEN": TOKEN}),
        (Bitbucket, {"CIRCLE_REPOSITORY_URL": "git@bitbucket.org:acme/access.git", "BITBUCKET_TOKEN": TOKEN}),
    ],
)
def test_a_pipeline_of_a_branch_finds_its_open_pull_request(
    kind: type[CodeHost], environ: Mapping[str, str]
) -> None:
    world = kind(
        pull_requests=[PullRequest(7, "more-admins"), PullRequest(9, "more-admins", "mallory/access")]
    )
    assert comment(world, {**CIRCLECI, **environ}).err == "comment 'plan' of pull request 7: posted\n"
    ran = comment(world, {**CIRCLECI, **environ, "CIRCLE_BRANCH": 'main" OR state = "x'})
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == 'there is no open pull request from main" OR state = "x: nothing to comment on\n'
    assert world.writes == ["POST"]


def test_of_several_open_pull_requests_the_newest_is_taken() -> None:
    world = GitLab(pull_requests=[PullRequest(number, "more-admins") for number in (3, 7, 5)])
    ran = comment(world, ON_GITLAB)
    assert ran.err == (
        "more-admins has several open pull requests: 7, the newest, not 5, 3\n"
        "comment 'plan' of pull request 7: posted\n"
    )


@pytest.mark.parametrize(
    "given",
    ["7", " 7 ", "https://github.com/acme/access/pull/7", "https://github.com/acme/access/pull/7/files"],
)
def test_the_pull_request_can_be_given(given: str) -> None:
    world = GitHub()
    environ = {**CIRCLECI, **REPOSITORY, "GITHUB_TOKEN": TOKEN}
    assert comment(world, environ, "plan.md", "--pull-request", given).code == 0
    assert "GET /repos/acme/access/pulls" not in world.asked
    assert len(world.texts) == 1


@pytest.mark.parametrize("given", ["", "<nil>"])
def test_a_pipeline_value_that_is_not_there_is_as_if_not_given(given: str) -> None:
    assert comment(GitHub(), ON_GITHUB, "plan.md", "--pull-request", given).code == 0


def test_outside_ci_an_address_is_enough() -> None:
    address = "https://github.com/acme/access/pull/7"
    assert comment(GitHub(), {"GITHUB_TOKEN": TOKEN}, "plan.md", "--pull-request", address).code == 0


@pytest.mark.parametrize(
    ("environ", "arguments", "words"),
    [
        ({}, (), "which repository this is about can't be told from the environment"),
        ({}, ("--pull-request", "7"), "which repository this is about can't be told from the environment"),
        (ON_GITHUB, ("--pull-request", "0"), "'0' is no pull request of a host that is known here"),
        (
            ON_GITHUB,
            ("--pull-request", "https://evil.example/acme/access/pull/7"),
            "'https://evil.example/acme/access/pull/7' is no pull request of a host that is known here",
        ),
        (ON_GITHUB, ("--name", "../x"), "'../x' is no name of a comment"),
        (ON_GITHUB, ("--name", "a)\n\nb"), "'a)\\n\\nb' is no name of a comment"),
        ({**ON_GITHUB, "GITHUB_TOKEN": ""}, (), "GITHUB_TOKEN is empty, so nobody can comment on GitHub"),
        ({**ON_GITHUB, "GITHUB_TOKEN": "a b"}, (), "the token of GITHUB_TOKEN has a blank"),
        (
            {**ON_GITHUB, "GITHUB_TOKEN_FILE": "x"},
            (),
            "GITHUB_TOKEN and GITHUB_TOKEN_FILE are set, which one holds?",
        ),
        (
            {**ON_GITHUB, "GITHUB_API_URL": "http://api.acme.example"},
            (),
            "GITHUB_API_URL would send the token unencrypted",
        ),
        ({**ON_BITBUCKET, "BITBUCKET_EMAIL": "a:b"}, (), "BITBUCKET_EMAIL is no e-mail address"),
    ],
)
def test_what_is_said_wrong_is_told_before_anybody_is_asked(
    environ: Mapping[str, str], arguments: tuple[str, ...], words: str
) -> None:
    world = GitHub()
    ran = comment(world, environ, "plan.md", *arguments)
    assert (ran.code, ran.out, world.asked) == (2, "", [])
    assert ran.err.startswith(f"error: {words}")
    assert "\nhint: " in ran.err


def test_a_token_is_taken_from_a_command_as_any_other() -> None:
    environ = {name: value for name, value in ON_GITHUB.items() if name != "GITHUB_TOKEN"}
    assert comment(GitHub(), environ, GITHUB_TOKEN_COMMAND=f"echo {TOKEN}").code == 0


@pytest.mark.parametrize("token", [{}, {"GITHUB_TOKEN": ""}])
def test_a_fork_without_secrets_is_no_failure(token: Mapping[str, str]) -> None:
    environ = {name: value for name, value in ON_GITHUB.items() if name != "GITHUB_TOKEN"}
    world = GitHub()
    ran = comment(world, {**environ, **token, "CIRCLE_PR_NUMBER": "7", "CIRCLE_PR_USERNAME": "mallory"})
    assert (ran.code, ran.out, world.asked) == (0, "", [])
    assert ran.err == "pull request 7 is from a fork, which gets no token: no comment\n"


def test_a_fork_that_is_given_secrets_is_commented_on() -> None:
    assert comment(GitHub(), {**ON_GITHUB, "CIRCLE_PR_NUMBER": "7"}).code == 0


def test_a_tag_is_no_pull_request() -> None:
    environ = {
        "CIRCLECI": "true",
        "CIRCLE_SHA1": SHA,
        "CIRCLE_REPOSITORY_URL": "git@github.com:acme/access.git",
    }
    ran = comment(GitHub(), environ)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "this pipeline is of no pull request of acme/access: nothing to comment on\n"


# -- the file ----------------------------------------------------------------------------------------


def test_standard_input_is_a_file_as_well() -> None:
    world = GitHub()
    assert comment(world, ON_GITHUB, "-", stdin=b"\xef\xbb\xbf## from a pipe\r\n").code == 0
    assert world.texts == [f"{MARKER}\n\n## from a pipe"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "plan.md can't be read: No such file or directory"),
        (b"", "plan.md is empty, and no comment can be"),
        (b" \n\n", "plan.md is empty, and no comment can be"),
        (b"\xff\xfe", "plan.md is no text in UTF-8"),
        (b"x" * (16 * 1024 * 1024 + 1), "plan.md is larger than 16777216 bytes"),
    ],
    ids=["absent", "empty", "blank", "binary", "huge"],
)
def test_a_file_that_is_no_report_is_told_even_where_there_is_no_pull_request(
    content: bytes | None, words: str
) -> None:
    Path("plan.md").unlink()
    if content is not None:
        Path("plan.md").write_bytes(content)
    ran = comment(GitHub(), CIRCLECI)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {words}")


def test_a_folder_or_a_device_is_no_report() -> None:
    for name in (".", "/dev/zero"):
        ran = comment(GitHub(), ON_GITHUB, name)
        assert ran.code == 2
        assert "can't be read: " in ran.err


def test_a_report_that_is_too_long_is_cut_and_that_is_said() -> None:
    report("\n".join(f"person{number:05} gains" for number in range(10_000)))
    world = GitHub()
    ran = comment(world, ON_GITHUB)
    assert (ran.code, ran.out) == (0, "https://github.com/acme/access/pull/7#issuecomment-101\n")
    assert ran.err.startswith("the comment is cut short: these are the first 3,")
    assert world.texts[0].startswith(f"{MARKER}\n\n> **Cut short:** these are the first 3,")
    assert comment(world, ON_GITHUB).err.endswith(": unchanged\n")


def test_a_report_orders_gitlab_nothing() -> None:
    report("## 1 person gains\n/close\n/merge\n\nends in blanks  ")
    world = GitLab()
    assert comment(world, ON_GITLAB).code == 0
    assert world.obeyed == ()
    assert world.texts == [f"{MARKER}\n\n## 1 person gains\n\\/close\n\\/merge\n\nends in blanks"]
    assert comment(world, ON_GITLAB).err.endswith(": unchanged\n")


# -- all of it ---------------------------------------------------------------------------------------


def test_a_plan_becomes_a_comment_and_a_comment_follows_the_plan() -> None:
    """Three pushes, each with another policy: what the job of the pull request runs, word for word."""
    subprocess.run(["git", "init", "-q"], check=True)
    write_policy(Path("policies/acme"))
    file = Path("policies/acme/web.yaml")
    scim, github = acme(), GitHub()

    def answer(request: httpx.Request) -> httpx.Response:
        return (github if request.url.host == "api.github.com" else scim).answer(request)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(
            cli,
            arguments,
            env={**ON_GITHUB, "CIRCLECI_SCIM_URL": BASE, "CIRCLECI_SCIM_TOKEN": SECRET},
            obj=Reach(httpx.MockTransport(answer), scim.time.patience()),
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    seen = []
    for role in ("viewer", "contributor", "admin"):
        file.write_text(BINDINGS.replace("organization: viewer", f"organization: {role}"))
        run("plan", "policies/acme", "--out", "plan.json", "--report", "plan.md")
        assert run("comment", "plan.md") == "https://github.com/acme/access/pull/7#issuecomment-101\n"
        [text] = github.texts
        assert text == f"{MARKER}\n\n{Path('plan.md').read_text()}".rstrip("\n")
        assert f"(https://github.com/acme/access/blob/{SHA}/policies/acme/web.yaml#L6)" in text
        seen.append("**becomes admin**" in text)
    assert github.writes == ["POST", "PATCH", "PATCH"]
    assert seen == [False, False, True]


def test_what_is_sent_is_json_in_utf_8() -> None:
    sent: list[httpx.Request] = []
    world = GitHub()

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return world.answer(request)

    report("Zoë")
    CliRunner().invoke(
        cli,
        ["comment", "plan.md"],
        env=dict(ON_GITHUB),
        obj=Reach(httpx.MockTransport(answer), Time().patience()),
    )
    posted = next(one for one in sent if one.method == "POST" and "graphql" not in one.url.path)
    assert posted.headers["content-type"] == "application/json"
    assert json.loads(posted.content) == {"body": f"{MARKER}\n\nZoë"}
