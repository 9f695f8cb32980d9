"""`.ci/mutants.py`: what is mutated exists, properties are seen, and counts add up."""

import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MUTANTS = runpy.run_path(str(ROOT / ".ci" / "mutants.py"))
CONFIGURATION: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

WITH_PROPERTIES = '''\
class Plan:
    """A plan."""

    @property
    def drifted(self) -> bool:
        return True

    @cached_property
    def people(self) -> int:
        """How many."""
        return (
            1
        )

    @staticmethod
    def other() -> int:
        return 2
'''
WITHOUT = '''\
class Plan:
    """A plan."""

    def drifted_(self) -> bool:
        return True
    drifted = property(drifted_)

    def people_(self) -> int:
        """How many."""
        return (
            1
        )
    people = property(people_)

    @staticmethod
    def other() -> int:
        return 2
'''


def test_what_is_mutated_and_the_tests_that_should_notice_exist() -> None:
    settings = CONFIGURATION["tool"]["mutmut"]
    paths = [
        *settings["only_mutate"],
        *settings["pytest_add_cli_args_test_selection"],
        *settings["also_copy"],
        *(argument.partition("=")[2] for argument in settings["pytest_add_cli_args"] if "ignore" in argument),
    ]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_modules_are_mutated_by_name_or_all_of_them() -> None:
    everything = CONFIGURATION["tool"]["mutmut"]["only_mutate"]
    assert MUTANTS["mutated"]() == everything
    named = MUTANTS["mutated"](["plan", "drift"])
    assert set(named) < set(everything)
    assert {Path(path).stem for path in named} == {"plan", "drift"}


def test_a_module_that_is_not_mutated_is_told() -> None:
    with pytest.raises(
        SystemExit, match=r"not among the modules that are mutated \(pyproject.toml\): plans$"
    ):
        MUTANTS["mutated"](["plans", "drift"])


def test_properties_become_methods_and_all_else_stays() -> None:
    assert MUTANTS["without_decorators"](WITH_PROPERTIES) == WITHOUT


@pytest.mark.parametrize("path", CONFIGURATION["tool"]["mutmut"]["only_mutate"])
def test_no_property_of_what_is_mutated_is_missed(path: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    seen = MUTANTS["without_decorators"](source)
    compile(seen, path, "exec")
    decorated = source.count("    @property\n") + source.count("    @cached_property\n")
    assert (seen.count(" = property("), "property\n    def " in seen) == (decorated, False)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param([], "0 mutants, 0 killed, 0 survived, 0 timeout", id="none"),
        pytest.param(
            ["killed", "survived", "killed", "no tests"],
            "4 mutants, 2 killed, 1 survived, 0 timeout, 1 no tests",
            id="some that no test reaches",
        ),
    ],
)
def test_counts_tell_the_usual_results_always_and_others_where_there_are_any(
    found: list[str], told: str
) -> None:
    assert MUTANTS["counts"](found) == told
