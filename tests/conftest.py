"""How hypothesis searches: anew each time where people work, always the same in a pipeline."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "local", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "local")
