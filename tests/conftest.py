"""What holds for all tests."""

from hypothesis import settings

import services  # noqa: F401  # sets what gRPC reads when it is imported, before anything else does

# How long an example takes says more of the machine, which may be busy, than of the code.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")
