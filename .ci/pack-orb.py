"""Packs the orb: one file of all components, each named by its file, with the scripts that they include.

    .ci/pack-orb.py orb/src orb/orb.yml

Does what `circleci orb pack` does for this orb, so that nobody needs that program to change it.
"""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

COMPONENTS = ("commands", "executors", "jobs", "examples")
_INCLUDE = re.compile(r"<<include\(([^)]+)\)>>")


def packed(source: Path) -> dict[str, Any]:
    """The orb as one document."""
    orb: dict[str, Any] = _read(source / "@orb.yml", source)
    for kind in COMPONENTS:
        orb[kind] = {path.stem: _read(path, source) for path in sorted((source / kind).glob("*.yml"))}
    return orb


def text(orb: dict[str, Any]) -> str:
    """The document as YAML, with scripts as they are written."""
    return yaml.dump(orb, Dumper=_Readable, sort_keys=False, width=110, allow_unicode=True)


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: _Readable, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _text)


def _read(path: Path, source: Path) -> Any:
    return _included(yaml.safe_load(path.read_text(encoding="utf-8")), source)


def _included(value: Any, source: Path) -> Any:
    """The same with each script in the place where it is named."""
    if isinstance(value, dict):
        return {key: _included(one, source) for key, one in value.items()}
    if isinstance(value, list):
        return [_included(one, source) for one in value]
    if isinstance(value, str) and (named := _INCLUDE.fullmatch(value)):
        return (source / named[1]).read_text(encoding="utf-8")
    return value


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(text(packed(Path(sys.argv[1]))), encoding="utf-8")
