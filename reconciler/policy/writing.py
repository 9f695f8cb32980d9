"""Policy files as text, as a person would write them. What is written here reads back as what was meant."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.phrases import day, second
from reconciler.policy import times
from reconciler.policy.document import GroupRef

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/@+-]*( [A-Za-z0-9._/@+-]+)*")
_WORDS = re.compile(r"y|n|yes|no|on|off|true|false|null", re.IGNORECASE)
"""What YAML 1.1 takes for something else than text."""

WIDE = 100


def scalar(text: str) -> str:
    """A text as YAML, in quotes where it needs them. JSON's strings are YAML's (YAML 1.2.2 section 7.3.1)."""
    if _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text):
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """The same, in quotes whatever it is."""
    return json.dumps(text, ensure_ascii=False)


def projects(names: Mapping[str, str]) -> Iterable[str]:
    """The lines below `projects:`, each with the id where the provider calls it otherwise."""
    for name, called in sorted(names.items()):
        inside = "" if called == name else f"id: {scalar(called)}"
        yield f"  {scalar(name)}: {{{inside}}}"


def binding(group: GroupRef, gives: Mapping[Scope, Role]) -> Iterable[str]:
    """One entry of `bindings:`."""
    named = scalar(group.name)
    if group.id is not None:
        named = f"{{name: {quoted(group.name)}, id: {quoted(group.id)}}}"
    yield f"  - group: {named}"
    yield from _roles(gives)


def grant(user: str, gives: Mapping[Scope, Role], reason: str, expires: datetime) -> Iterable[str]:
    """One entry of `grants:`; `expires` is aware."""
    yield f"  - user: {scalar(user)}"
    yield from _roles(gives)
    yield f"    reason: {scalar(reason)}"
    yield f"    expires: {moment(expires)}"


def moment(end: datetime) -> str:
    """An end as a date where it is the end of that day (UTC), else as a time."""
    whole = day(end)
    return whole if times.end(whole) == end else second(end)


def _roles(gives: Mapping[Scope, Role]) -> Iterable[str]:
    if ORGANIZATION in gives:
        yield f"    organization: {gives[ORGANIZATION]}"
    in_projects = [
        f"{scalar(scope.project)}: {role}"
        for scope, role in sorted(gives.items(), key=lambda pair: pair[0].rank)
        if scope.project is not None
    ]
    line = f"    projects: {{{', '.join(in_projects)}}}"
    if in_projects and len(line) <= WIDE:
        yield line
    elif in_projects:
        yield "    projects:"
        yield from (f"      {one}" for one in in_projects)
