"""What holds for all tests."""

from hypothesis import HealthCheck, settings

import services  # noqa: F401  # sets what gRPC reads when it is imported, before anything else does

# How long an example takes says more of the machine, which may be busy, than of the code.
_SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples each time, so that a change is judged by what it changed. New ones are looked
# for by hand: make test ARGS="tests/unit --hypothesis-profile=explore"
settings.register_profile("same", settings.default, derandomize=True, **_SLOW)
settings.register_profile("explore", settings.default, max_examples=1000, **_SLOW)
settings.load_profile("same")
