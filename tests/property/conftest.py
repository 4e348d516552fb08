"""How the generated tests run: the same cases every time, no time limit per case (the machine may be busy)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

EXAMPLES = 40
"""Cases per test. `--hypothesis-profile=deep` looks for longer."""

settings.register_profile(
    "house",
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    # The autouse fixtures of every test have nothing to do with a case.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("deep", settings.get_profile("house"), max_examples=1_000, derandomize=False)
settings.load_profile("house")
