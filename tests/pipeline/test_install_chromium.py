"""`.ci/install-chromium`: nothing where there is a browser, words where none can be installed."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / ".ci" / "install-chromium"


def install(folder: Path, **programs: str) -> tuple[int, str, str]:
    """Run it where only these programs are there, each some shell; `log` has what they were asked."""
    for name, does in programs.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{folder}/log"\n{does}\n', encoding="utf-8")
        path.chmod(0o755)
    for name in ("sh", "env", "true"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    ran = subprocess.run(
        ["/bin/sh", str(SCRIPT)], env={"PATH": str(folder)}, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout, ran.stderr


def asked(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_where_there_is_a_browser_nothing_is_installed(tmp_path: Path) -> None:
    assert install(tmp_path, chromium="exit 0", **{"apt-get": "exit 0"}) == (0, "", "")
    assert asked(tmp_path) == []


def test_where_there_is_none_debians_is_installed_and_nothing_it_only_recommends(tmp_path: Path) -> None:
    makes = f"printf '#!/bin/sh\\n' >{tmp_path}/chromium; /bin/chmod +x {tmp_path}/chromium"
    code, told, wrong = install(tmp_path, id="echo 0", **{"apt-get": makes})
    assert (code, told, wrong) == (0, "installing chromium, in which tests look at pages\n", "")
    assert [line for line in asked(tmp_path) if line.startswith("apt")] == [
        "apt-get -qq update",
        "apt-get -qq install --yes --no-install-recommends chromium",
    ]


def test_where_it_can_t_be_installed_that_is_said(tmp_path: Path) -> None:
    code, _, wrong = install(tmp_path, id="echo 1000", **{"apt-get": "exit 0"})
    assert (code, wrong) == (
        1,
        "error: chromium is missing, in which tests look at pages, and only root can install it; "
        "install it, and run this again\n",
    )


def test_an_installation_that_fails_is_no_success(tmp_path: Path) -> None:
    code, _, wrong = install(tmp_path, id="echo 0", **{"apt-get": "exit 100"})
    assert (code, "the list of packages could not be read" in wrong) == (1, True)


def test_continuous_integration_sees_to_it_before_the_tests() -> None:
    lines = (SCRIPT.parent / "run").read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ["sh .ci/install-chromium", "exec make --no-print-directory test"]
    assert os.access(SCRIPT, os.X_OK)
