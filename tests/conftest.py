"""How hypothesis searches, anew for people and always the same in a pipeline; being nobody, and elsewhere."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from reconciler.scim import listing

settings.register_profile(
    "local", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, max_examples=40)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "local")

NOBODY = 65534


@pytest.fixture(autouse=True, scope="session")
def side_by_side() -> Iterator[None]:
    """Pages are read side by side, however fast the server: more can go wrong there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "WORTH_WAITING", 0.0)
        yield


@pytest.fixture
def without_privileges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In `tmp_path`, as somebody whom permissions bind: root may read everything, and CI is often root."""
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    former = os.geteuid()
    if former == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(former)


@pytest.fixture
def far_from_utc() -> Iterator[None]:
    """On a machine whose clock shows nine hours more than UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC-9")
        time.tzset()
        yield
    time.tzset()
