"""What holds for all tests."""

import services  # noqa: F401  # sets what gRPC reads when it is imported, before anything else does
