"""How a channel behaves while its server is away or slow to answer."""

from typing import Final

# In milliseconds. The first is, in spite of its name, what one attempt may take: gRPC makes the
# next one when the last has failed and a wait between the other two is over.
RECONNECTING: Final = (
    ("grpc.min_reconnect_backoff_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)
