"""Text that somebody hostile chose, in a policy or on a server, is harmless in every output.

Harmless is: no character that a terminal obeys, that turns the direction of writing or that nobody sees, and
no line that the program did not begin. What stands for the text is looked for, too: nothing is swallowed.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from cli.small_world import BINDINGS, ORGANIZATION, acme, run, write_policy
from cli.terminals import on_terminal
from e2e.loopback import environment, serving
from scim.fake_server import JSON, FakeServer, Fault, Resource, error_body, group, user

from reconciler.errors import ExitCode

LEDGER = Path(".reconciler/ledger.jsonl")
PLACEHOLDER = "PLACEHOLDER"

OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[12]?K|1A)")
"""What rich sends to a terminal: colours, and how it moves a bar."""


@dataclass(frozen=True)
class Text:
    """A hostile text, and how it is to be shown."""

    raw: str
    shown: str


TEXTS = {
    "clears the screen": Text("ev\x1b[2Jil", r"ev\x1b[2Jil"),
    "hides what follows": Text("ev\x1b[8mil", r"ev\x1b[8mil"),
    "sets the title": Text("ev\x1b]0;il\x07", r"ev\x1b]0;il\x07"),
    "link of a terminal": Text("\x1b]8;;https://evil.test\x1b\\evil", r"\x1b]8;;https://evil.test\x1b\evil"),
    "C1 control": Text("ev\x9b2Jil", r"ev\x9b2Jil"),
    "NUL": Text("ev\x00il", r"ev\x00il"),
    "bell and backspace": Text("ev\x07\x08il", r"ev\x07\x08il"),
    "DEL": Text("ev\x7fil", r"ev\x7fil"),
    "line of its own": Text("evil\nerror: all is well", r"evil\nerror: all is well"),
    "return": Text("evil\rall is well", r"evil\rall is well"),
    "next line of Latin-1": Text("ev\x85il", r"ev\x85il"),
    "line of Unicode": Text("ev\u2028il\u2029", r"ev\u2028il\u2029"),
    "right to left": Text("ev\u202elive\u202c", r"ev\u202elive\u202c"),
    "isolate": Text("ev\u2066il\u2069", r"ev\u2066il\u2069"),
    "Arabic mark": Text("ev\u061cil", r"ev\u061cil"),
    "no width": Text("e\u200bv\u200di\ufeffl", r"e\u200bv\u200di\ufeffl"),
    "blank that is none": Text("ev\u00a0il", r"ev\xa0il"),
    "tags": Text("ev\U000e0041il", r"ev\U000e0041il"),
    "markup of rich": Text("[red]evil[/red]", "[red]evil[/red]"),
    "broken markup of rich": Text("evil[/]", "evil[/]"),
    "Markdown": Text("[evil](https://evil.test) | <b>", "[evil](https://evil.test) | <b>"),
    "format": Text("%s%n{0}{evil}", "%s%n{0}{evil}"),
}

hostile = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)

ALL_OF_IT = Text("".join(text.raw for text in TEXTS.values()), "".join(text.shown for text in TEXTS.values()))
NO_TEXT = Text("ev\ud83dil", r"ev\ud83dil")
"""Half of a surrogate pair, which JSON can say and UTF-8 can't."""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one; no connection from outside."""
    for name in [name for name in os.environ if "SCIM" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIRCLE_SHA1", "0123abcd")  # asking git takes longer than all the rest
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Spoiling:
    """A server whose answers say the hostile text wherever they say PLACEHOLDER, and the other way round."""

    server: FakeServer
    text: Text

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = request.content.replace(self.told, PLACEHOLDER.encode())
        url = str(request.url).replace(self.quoted, PLACEHOLDER)
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        honest = httpx.Request(request.method, url, headers=headers, content=asked)
        response = self.server.answer(honest)
        content = response.content.replace(PLACEHOLDER.encode(), self.told)
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, content=content, headers=headers)

    @property
    def told(self) -> bytes:
        return json.dumps(self.text.raw)[1:-1].encode()

    @property
    def quoted(self) -> str:
        return quote(self.text.raw, safe="", errors="replace")


def harmless(printed: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in printed)


def world() -> FakeServer:
    """Somebody whose name is hostile, with a role to lose and another role that is not the policy's."""
    return acme(users=[*others(), user("x", "org-viewer", PLACEHOLDER, userName=PLACEHOLDER)])


# Of the identity provider and the server


@hostile
@pytest.mark.parametrize("output", [(), ("--format", "json")], ids=["text", "json"])
def test_a_name_is_harmless_in_all_that_tells_of_a_run(
    text: Text, output: tuple[str, ...], work: Path
) -> None:
    write_policy(work / "policies/acme")
    commands = (
        ("--debug", "plan"),
        ("plan", "--out", "plan.json"),
        ("--debug", "apply"),
        ("history", "RUN"),
        ("undo", "RUN"),
        ("--debug", "undo", "RUN", "--apply"),
    )
    with serving(Spoiling(world(), text)) as url:
        for command in commands:
            words = [first_run() if word == "RUN" else word for word in command]
            code, out, err = run(environment(url), *words, *output)
            assert (code, harmless(out), harmless(err)) == (ExitCode.DONE, True, True), (command, out, err)
            assert not [line for line in (out + err).splitlines() if line.startswith(("error:", "all is"))]
            assert (text.shown if not output else json.dumps(text.raw)[1:-1]) in out, (command, out)
    for file in (LEDGER, Path("plan.json")):
        assert harmless(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [ALL_OF_IT, *(TEXTS[name] for name in ("clears the screen", "line of its own", "broken markup of rich"))],
    ids=["all of it", "clears the screen", "line of its own", "broken markup of rich"],
)
def test_a_name_is_harmless_on_a_terminal(text: Text, work: Path) -> None:
    write_policy(work / "policies/acme")
    with serving(Spoiling(world(), text)) as url:
        for command in ("plan", "apply"):
            code, seen = on_terminal(environment(url), command, columns=2000)
            assert (code, text.raw in seen and not text.raw.isprintable()) == (ExitCode.DONE, False)
            assert harmless(OURS.sub("", seen).replace("\r", ""))
            assert text.shown in seen


@pytest.mark.parametrize("columns", [60, 2000], ids=["narrow", "wide"])
@pytest.mark.parametrize("name", ["clears the screen", "broken markup of rich"])
def test_a_name_in_a_refusal_is_harmless_on_a_terminal(name: str, columns: int, work: Path) -> None:
    write_policy(work / "policies/acme", ORGANIZATION.replace("count: 10", "count: 0"))
    with serving(Spoiling(world(), TEXTS[name])) as url:
        code, seen = on_terminal(environment(url), "plan", columns=columns)
    assert f"people: {TEXTS[name].shown}" in OURS.sub("", seen)
    assert (code, harmless(OURS.sub("", seen))) == (ExitCode.REFUSED, True)


@pytest.mark.parametrize("output", [(), ("--format", "json")], ids=["text", "json"])
def test_a_name_that_is_no_text_is_refused_and_harmless(output: tuple[str, ...], work: Path) -> None:
    write_policy(work / "policies/acme")
    with serving(Spoiling(world(), NO_TEXT)) as url:
        code, out, err = run(environment(url), "--debug", "plan", *output)
    assert (code, harmless(out), harmless(err)) == (ExitCode.UNREADABLE, True, True)
    assert NO_TEXT.shown in err


PLACES = {
    "id": lambda: acme(users=[*others(), user("dan", "org-viewer", id=PLACEHOLDER)]),
    "version": lambda: acme(users=[*others(), user("dan", meta={"version": PLACEHOLDER})]),
    "role": lambda: acme(users=[*others(), user("dan", "org-viewer", PLACEHOLDER)]),
    "attribute in a PUT": lambda: acme(
        users=[*others(), user("dan", "org-viewer", nickName=PLACEHOLDER)], patches=False
    ),
    "externalId": lambda: acme(users=[*others(), user("dan", externalId=PLACEHOLDER)]),
    "name of a group": lambda: acme(groups=[*groups(), group(PLACEHOLDER, "dan", id="g-x")]),
    "id of a group": lambda: acme(groups=[*groups(), group("other", "dan", id=PLACEHOLDER)]),
    "member of a group": lambda: acme(groups=[*groups(), group("other", {"value": PLACEHOLDER})]),
}


def others() -> list[Resource]:
    return [user("ada", "org-admin"), user("bob", "org-admin"), user("cleo")]


def groups() -> list[Resource]:
    return [group("platform", "ada", "bob"), group("eng-web", "cleo")]


@pytest.mark.parametrize("text", [ALL_OF_IT, NO_TEXT], ids=["all of it", "half a pair"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_whatever_else_is_named_is_harmless(text: Text, place: Callable[[], FakeServer], work: Path) -> None:
    write_policy(work / "policies/acme")
    with serving(Spoiling(place(), text)) as url:
        for command in (("plan",), ("plan", "--format", "json"), ("apply",), ("history",)):
            code, out, err = run(environment(url), "--debug", *command)
            assert (harmless(out), harmless(err)) == (True, True), (command, out, err)
            assert not [
                line for line in (out + err).splitlines() if line.startswith(("error: all", "all is"))
            ]
            assert code != ExitCode.UNEXPECTED


@hostile
@pytest.mark.parametrize("output", [(), ("--format", "json")], ids=["text", "json"])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_what_a_server_complains_of_is_harmless(
    text: Text, command: str, output: tuple[str, ...], work: Path
) -> None:
    write_policy(work / "policies/acme")
    body = error_body(400, PLACEHOLDER, f"it is {PLACEHOLDER}")
    method, expected = (
        ("GET", ExitCode.UNREADABLE) if command == "plan" else ("PATCH", ExitCode.PARTLY_APPLIED)
    )
    server = acme(faults=[Fault(method, 400, JSON, body)] * 9)
    with serving(Spoiling(server, text)) as url:
        code, out, err = run(environment(url), "--debug", command, *output)
    assert (code, harmless(out), harmless(err)) == (expected, True, True), out + err
    assert [line for line in err.splitlines() if line.startswith("all is")] == []


def first_run() -> str:
    """The name of the first run in the ledger."""
    with LEDGER.open(encoding="utf-8") as ledger:
        return str(json.loads(ledger.readline())["hash"])[:12]


# Of the policy


def bound(**changes: str) -> str:
    """A binding and a temporary grant, with something in them replaced."""
    values = {"group": "eng-web", "role": "viewer", "project": "storefront", "user": "cleo@acme.example"}
    values |= {"reason": "INC-1", "expires": "2999-01-01", "key": "owner"} | changes
    return (
        "version: 1\n{key}: web\nbindings:\n  - group: {group}\n    organization: {role}\n"
        "    projects: {{{project}: admin}}\n"
        "grants:\n  - {{user: {user}, organization: admin, reason: {reason}, expires: {expires}}}\n"
    ).format_map({name: json.dumps(value) for name, value in values.items()})


@hostile
@pytest.mark.parametrize("place", ["group", "role", "project", "user", "reason", "expires", "key"])
def test_a_policy_is_harmless_in_all_that_is_said_of_it(text: Text, place: str, work: Path) -> None:
    write_policy(work / "policies/acme", bindings=bound(**{place: text.raw}))
    with serving(acme()) as url:
        for arguments in (
            ("validate",),
            ("validate", "--format", "json"),
            ("plan",),
            ("plan", "--format", "json"),
            ("--debug", "apply"),
        ):
            code, out, err = run(environment(url), *arguments)
            assert (harmless(out), harmless(err)) == (True, True), (arguments, out, err)
            assert code in (ExitCode.DONE, ExitCode.INVALID, ExitCode.REFUSED), (arguments, out, err)
            assert not [line for line in (out + err).splitlines() if line.startswith("all is")]


FILE_NAMES = {name: text for name, text in TEXTS.items() if not {"\0", "/"} & set(text.raw)}


@pytest.mark.parametrize("text", FILE_NAMES.values(), ids=FILE_NAMES)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_name_of_a_file_is_harmless_in_all_that_is_said_of_it(text: Text, kind: str, work: Path) -> None:
    folder = write_policy(work / "policies/acme")
    path = folder / f"{text.raw}.yaml" if kind == "file" else folder / text.raw / "web.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(BINDINGS.replace("viewer", "vewer"), encoding="utf-8")
    for arguments in (
        ("validate",),
        ("validate", "--format", "json"),
        ("plan",),
        ("plan", "--format", "json"),
    ):
        code, out, err = run(environment("https://scim.test"), *arguments)
        assert (code, harmless(out), harmless(err)) == (ExitCode.INVALID, True, True), (arguments, out, err)
        assert not [line for line in (out + err).splitlines() if line.startswith(("all is", "error: all"))]
