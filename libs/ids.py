"""Identifiers that sort by the time they were made."""

import os
import threading
import time
import uuid

_STEPS_PER_MILLISECOND = 4096
_NANOSECONDS_PER_MILLISECOND = 1_000_000

_lock = threading.Lock()
_latest = 0


def uuid7() -> str:
    """A new UUIDv7 as lower-case text with hyphens.

    The 12 bits after the version hold the fraction of the millisecond (RFC 9562, 6.2 method 3). Ids
    of one process sort in the order in which they were made, even while its clock is put back.
    """
    milliseconds, fraction = divmod(_step(), _STEPS_PER_MILLISECOND)
    tail = int.from_bytes(os.urandom(8)) & (2**62 - 1)
    value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail
    return str(uuid.UUID(int=value))


def _step() -> int:
    """The time in steps of a 4096th millisecond, but later than at any call before."""
    global _latest
    now = time.time_ns() * _STEPS_PER_MILLISECOND // _NANOSECONDS_PER_MILLISECOND
    with _lock:
        _latest = max(now, _latest + 1)
        return _latest
