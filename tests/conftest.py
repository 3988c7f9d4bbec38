"""What holds for all tests."""

import os
import signal
import time

from hypothesis import HealthCheck, settings

import services  # noqa: F401  # sets what gRPC reads when it is imported, before anything else does

# A shell has what it starts in the background ignore this one, and so would all that is started
# here and then interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The zone of the machine, its proxies (all that is called here is on the loopback), its taste for
# colours and the settings of a suite that somebody runs on it have no say.
_ELSEWHERE = ("FORCE_COLOR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY")
for name in list(os.environ):
    ours = name.upper().startswith("COLONNADE_") and name != "COLONNADE_SHARED"
    if ours or name.upper() in _ELSEWHERE:
        del os.environ[name]
# The settings of a Mac may name proxies besides.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
os.environ["TZ"] = "UTC"
time.tzset()

# How long an example takes says more of the machine, which may be busy, than of the code.
_SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples each time, so that a change is judged by what it changed. New ones are looked
# for by hand: make test ARGS="tests/unit --hypothesis-profile=explore"
settings.register_profile("same", settings.default, derandomize=True, **_SLOW)
settings.register_profile("explore", settings.default, max_examples=1000, **_SLOW)
settings.load_profile("same")
