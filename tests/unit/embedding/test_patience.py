"""How long a call waits for a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from libs.rpc.call import CallInfo, current_call
from services.embedding.convert import patience


@contextmanager
def served(deadline: float | None) -> Iterator[None]:
    token = current_call.set(CallInfo("method", deadline=deadline))
    try:
        yield
    finally:
        current_call.reset(token)


def test_a_call_keeps_time_to_tell_its_caller_why_there_is_no_answer() -> None:
    with served(monotonic() + 50):
        assert 0 < patience() <= 49.5
    with served(monotonic() + 0.1):
        assert patience() == 0


def test_without_a_deadline_patience_ends_too() -> None:
    assert patience() == 60
    with served(None):
        assert patience() == 60
    with served(monotonic() + 3600):
        assert patience() == 60
