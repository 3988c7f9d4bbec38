"""When an item that could not be embedded is tried again, and when it is given up."""

from datetime import timedelta

_DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=6),
)
MOST_TRIES = len(_DELAYS) + 1
"""Tries that may fail by an item's own fault; then it is quarantined."""


def delay_after(attempts: int) -> timedelta | None:
    """How long an item waits after so many tries that failed; None: it is given up."""
    return _DELAYS[attempts - 1] if attempts < MOST_TRIES else None
