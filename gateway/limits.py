"""What the gateway allows a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body (uploads have their own limit), and seconds for calls.

    ``default_timeout`` is for methods whose contract states none, ``max_timeout`` is the most a
    client may ask for, ``stream_timeout`` ends a stream, and a stream that has nothing to say for
    ``heartbeat`` seconds shows that it lives.
    """

    body_bytes: int = 16 * 2**20
    default_timeout: float = 10.0
    max_timeout: float = 300.0
    stream_timeout: float = 3600.0
    heartbeat: float = 15.0
