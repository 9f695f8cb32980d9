"""Mutation testing as `make mutants` runs it: mutmut on a copy, survivors and counts; no part of CI.

Arguments are the names of modules that are to be mutated, such as `plan`; without any, all are.

mutmut passes over decorated functions, and much of what matters here is a property. So in the copy each
`@property` above `def stage` becomes `def stage_` and `stage = property(stage_)`, which mutmut does see; a
`@cached_property` does, too, for a value that was kept from before the mutation would hide it. What stands
outside functions, such as constants, mutmut leaves alone.
"""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "mutants"
MADE = ("build", "dist", ".git", ".venv", ".*_cache", ".hypothesis", ".reconciler", "__pycache__")
"""What a copy does without."""


def mutated(names: Collection[str] = ()) -> list[str]:
    """The modules that are mutated, or those of them with these names, as paths from the root."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        paths: list[str] = tomllib.load(file)["tool"]["mutmut"]["only_mutate"]
    if unknown := set(names) - {Path(path).stem for path in paths}:
        sys.exit(f"not among the modules that are mutated (pyproject.toml): {', '.join(sorted(unknown))}")
    return [path for path in paths if not names or Path(path).stem in names]


def dotted(path: str) -> str:
    """The module at a path, as mutmut's names of its mutants begin."""
    return path.removesuffix(".py").replace("/", ".")


def copy() -> None:
    """The tree, with properties in the form that mutmut sees."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT, COPY, ignore=shutil.ignore_patterns(*MADE))
    for path in mutated():
        module = COPY / path
        module.write_text(without_decorators(module.read_text(encoding="utf-8")), encoding="utf-8")


def without_decorators(source: str) -> str:
    """The same module with each property as a method and a call."""
    lines = source.splitlines()
    for method in reversed(list(properties(source))):
        indent, name = " " * method.col_offset, method.name
        lines.insert(method.body[-1].end_lineno or 0, f"{indent}{name} = property({name}_)")
        lines[method.lineno - 1] = lines[method.lineno - 1].replace(f"def {name}(", f"def {name}_(")
        del lines[method.lineno - 2]
    return "\n".join(lines) + "\n"


def properties(source: str) -> Iterator[ast.FunctionDef]:
    """The properties of a module's classes, in the order of the file."""
    members = (
        node for outer in ast.parse(source).body if isinstance(outer, ast.ClassDef) for node in outer.body
    )
    for member in members:
        match member:
            case ast.FunctionDef(decorator_list=[ast.Name(id="property" | "cached_property")]):
                yield member
            case _:
                pass


def mutmut(*arguments: str) -> str:
    """What mutmut prints; `subprocess.CalledProcessError` where it cannot do its work."""
    ran = subprocess.run(
        [Path(sys.executable).with_name("mutmut"), *arguments],
        cwd=COPY,
        env=os.environ | {"CI": "true"},  # hypothesis is to search the same way every time
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.stdout.write(ran.stdout)
    ran.check_returncode()
    return ran.stdout


def results(modules: Collection[str]) -> dict[str, str]:
    """What became of each mutant of these modules (killed, survived, timeout ...) by its name."""
    lines = mutmut("results", "--all", "true").splitlines()
    found = (line.strip().split(": ") for line in lines if line.strip())
    beginnings = tuple(f"{module}." for module in modules)
    return {name: result for name, result in found if name.startswith(beginnings)}


def report(found: Mapping[str, str], modules: Iterable[str]) -> Iterator[str]:
    """Every mutant that was not killed, as a diff; then the counts by module and of all."""
    for mutant, result in found.items():
        if result != "killed":
            yield f"{mutmut('show', mutant).strip()}\n"
    for module in modules:
        yield f"{module}: {counts(result for name, result in found.items() if name.startswith(module + '.'))}"
    yield f"all: {counts(found.values())}"


def counts(found: Iterable[str]) -> str:
    """How many there are, and how many of each result; the usual ones are told when there are none, too."""
    by_result = Counter(found)
    total = by_result.total()
    by_result.update(killed=0, survived=0, timeout=0)
    told = (f"{by_result.pop(result)} {result}" for result in ("killed", "survived", "timeout"))
    return ", ".join([f"{total} mutants", *told, *(f"{n} {result}" for result, n in by_result.items())])


def main() -> int:
    """The exit code: mutants that survive are told, and are no failure."""
    names = sys.argv[1:]
    modules = list(map(dotted, mutated(names)))
    copy()
    try:
        mutmut("run", *(f"{module}.*" for module in modules if names))
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    for line in report(results(modules), modules):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
