"""A summary as a message for Slack: small enough to be taken, and nobody's name does anything in it. Pure.

What comes from outside stands in `plain_text` alone, and in the fallback between code fences: neither has a
way to mention, to link or to format. `&`, `<` and `>` are escaped in both, as Slack asks of every text.
Limits: 50 blocks, a header of 150 characters, 3000 in a text, and all blocks together some 13,000
(`msg_blocks_too_long`, which is not documented). Lengths are those of the JSON, which are never less.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from reconciler.change import Result
from reconciler.notifications.summary import Ending, Failure, Person, Share, Summary
from reconciler.phrases import counted, counted_people, shortened
from reconciler.report.people import roles
from reconciler.report.plain import printable

Document = dict[str, object]

LONGEST_HEADER = 150
ROOM = 5600
"""So many characters tell of organizations, together, and in one block less than 3000 of them."""
LONGEST_BLOCK = 2800
ROOM_IN_FALLBACK = 1400
DETAILED = 8
"""So many organizations are told of one by one."""
NAMED = 10
LONGEST_LINE = 300
LONGEST_NAME = 80
SCOPES = 3
"""So many scopes of one person are told."""

_LINK = re.compile(r"https?://[^\x00-\x20\x7f-\U0010ffff<>|\"\\]+")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def message(summary: Summary) -> Document:
    """What to post: blocks, and the text for where no blocks are shown."""
    told = [share for share in summary.shares if share.ending is not Ending.UNCHANGED]
    detailed = told[:DETAILED]
    room = ROOM // max(1, len(detailed) + bool(summary.failures))
    blocks = [_header(headline(summary))]
    blocks += _details(_failures(summary.failures), room)
    for share in detailed:
        blocks += [_own_words(f"*{_headline(share)}*")] if len(summary.shares) > 1 else []
        blocks += _details(_share(share), room)
    blocks += _details(_others(summary, told[DETAILED:]), LONGEST_LINE)
    return {
        "text": _fallback(summary, detailed),
        "blocks": [*blocks, _context(summary)],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def headline(summary: Summary) -> str:
    """What a run came to, in one line of our own words."""
    match summary.shares:
        case () if summary.failures:
            return f"{summary.command}: {_FAILED.get(summary.failures[0].exit_code.name, 'the run failed')}"
        case ():
            return f"{summary.command}: there is no policy"
        case (share,) if not summary.failures:
            return _headline(share)
        case shares:
            endings = Counter(str(share.ending) for share in shares)
            told = ", ".join(f"{number} {ending}" for ending, number in endings.items())
            return f"{summary.command}: {counted(len(shares), 'organization')}, {told}"


_FAILED = {"INVALID": "the policy is invalid", "STALE": "a plan is not the one that was expected"}


def _headline(share: Share) -> str:
    """The same of one organization, whose name the policy's language keeps harmless."""
    return f"{share.organization}: {_ended(share)}"


def _ended(share: Share) -> str:
    number = len({person.user for person in share.people})
    people = counted_people(number)
    match share.ending:
        case Ending.UNCHANGED:
            return "unchanged"
        case Ending.APPLIED:
            return f"access of {people} changed" if number else "applied"
        case Ending.PARTLY_APPLIED:
            return "applied in part"
        case Ending.DRIFT:
            return f"drift, {people} {'differs' if number == 1 else 'differ'}"
        case Ending.REFUSED:
            return f"refused by {', '.join(one.guardrail for one in share.refusals[:3]) or 'a guardrail'}"
        case Ending.STALE:
            return "nothing was written, the plan is not the one that was expected"
        case Ending.UNTOUCHED:
            return "nothing was written, for the sake of another organization"
        case Ending.UNREADABLE:
            return "could not be read whole"
        case Ending.INVALID:
            return "the policy names what does not exist"
        case Ending.FAILED:
            return "the run failed"


def _share(share: Share) -> list[str]:
    """All about one organization, the most important first; people come last, for they are many."""
    lines = share.verdict.split("\n") if share.people or share.ending is Ending.UNCHANGED else []
    if not share.failures or share.ending is not Ending.REFUSED:
        lines += _failures(share.failures)
    for refusal in share.refusals:
        lines += [f"guardrail {refusal.guardrail}: {refusal.message}", f"remedy: {refusal.remedy}"]
    lines += share.problems[:NAMED]
    if share.findings:
        found = ", ".join(f"{number} {kind}" for kind, number in share.findings)
        lines.append(f"to look at: {found}")
    return [*lines, *_people(share.people)]


def _failures(failures: Sequence[Failure]) -> list[str]:
    lines = []
    for failure in failures[:NAMED]:
        lines.append(failure.message)
        lines += [f"hint: {failure.hint}"] if failure.hint else []
    return [*lines, *([f"and {len(failures) - NAMED} more"] if len(failures) > NAMED else [])]


def _people(people: Iterable[Person]) -> Iterator[str]:
    for person in people:
        scopes = [f"{s.scope} {roles(s.before)} -> {roles(s.after)}" for s in person.scopes[:SCOPES]]
        more = len(person.scopes) - SCOPES
        scopes += [f"and {counted(more, 'more scope')}"] if more > 0 else []
        missed = person.result not in (None, Result.APPLIED)
        came = f" [{person.result}{f': {person.detail}' if person.detail else ''}]" if missed else ""
        what = f": {'; '.join(scopes)}" if scopes else ""
        yield f"• {_shortened(printable(person.user), LONGEST_NAME)} {person.verb}{what}{came}"


def _others(summary: Summary, untold: Sequence[Share]) -> list[str]:
    """Organizations that are named only, and those that are counted only."""
    lines = []
    unchanged = [share for share in summary.shares if share.ending is Ending.UNCHANGED]
    if untold:
        lines.append(f"and {_named(untold)}")
    if unchanged and len(summary.shares) > 1:
        lines.append(f"unchanged: {_named(unchanged)}")
    return lines


def _named(shares: Sequence[Share]) -> str:
    return shortened([_shortened(share.organization, LONGEST_NAME) for share in shares], NAMED)


def _fallback(summary: Summary, told: Sequence[Share]) -> str:
    """The headline, and the rest in a fence that no name can end."""
    lines = _failures(summary.failures)
    for share in told:
        lines += [_headline(share)] if len(summary.shares) > 1 else []
        lines += _share(share)
    body = "\n".join(_fitted([line.replace("`", "'") for line in lines], ROOM_IN_FALLBACK))
    link = _link(summary)
    parts = [_escaped(headline(summary), LONGEST_HEADER), *([f"```\n{body}\n```"] if body else [])]
    return "\n".join([*parts, *([link] if link else [])])


def _details(lines: Sequence[str], room: int) -> list[Document]:
    """The lines that fit, in as many blocks as they take."""
    bodies = [""]
    for line in _fitted(lines, room):
        longer = f"{bodies[-1]}\n{line}" if bodies[-1] else line
        bodies = [*bodies[:-1], longer] if _size(longer) <= LONGEST_BLOCK else [*bodies, line]
    return [{"type": "section", "text": _plain(body)} for body in bodies if body]


def _header(text: str) -> Document:
    return {"type": "header", "text": _plain(_escaped(text, LONGEST_HEADER - 10))}


def _own_words(text: str) -> Document:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _escaped(text, LONGEST_LINE)}}


def _context(summary: Summary) -> Document:
    """Where the whole of it can be read, and what ran."""
    origin = summary.origin
    runs = [share.run for share in summary.shares if share.run]
    facts = [
        f"reconciler {summary.command}, exit code {int(summary.exit_code)}",
        *([f"run {', '.join(runs[:3])}{' and more' if len(runs) > 3 else ''}"] if runs else []),
        *([f"commit {_shortened(origin.commit, 50)}"] if origin.commit else []),
        *([f"by {_shortened(origin.who, 50)}"] if origin.who else []),
    ]
    link = _link(summary)
    linked: list[Document] = [{"type": "mrkdwn", "text": f"<{link}|the job>"}] if link else []
    return {"type": "context", "elements": [*linked, _plain(_escaped(" · ".join(facts), LONGEST_LINE))]}


def _link(summary: Summary) -> str:
    """The job's address, if it is one that can stand in a message."""
    pipeline = summary.origin.pipeline or ""
    return pipeline.replace("&", "&amp;") if _LINK.fullmatch(pipeline) else ""


def _plain(escaped: str) -> Document:
    return {"type": "plain_text", "text": escaped, "emoji": False}


def _fitted(lines: Sequence[str], room: int) -> list[str]:
    """As many of the lines as there is room for, escaped, and how many more there are."""
    reserved = _size("\nand 1000000 more lines")
    taken: list[str] = []
    left = room
    for index, whole in enumerate(lines):
        line = _escaped(whole, LONGEST_LINE)
        left -= _size(f"{line}\n")
        if left < (reserved if index < len(lines) - 1 else 0):
            return [*taken, f"and {counted(len(lines) - index, 'more line')}"]
        taken.append(line)
    return taken


def _escaped(text: str, limit: int) -> str:
    """One line of at most `limit` characters before it is escaped."""
    return _shortened(printable(text[: 4 * limit]), limit).translate(_ESCAPES)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _size(text: str) -> int:
    """Its length in JSON, in units of UTF-16, which is how browsers count."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-16-le")) // 2 - 2
