"""Keeping one kind of job from taking every thread of the worker."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")


def one_at_a_time(
    function: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, Coroutine[Any, Any, None]]:
    """``function``, except that a call returns at once while another one is in work.

    For jobs that are announced again and again until they are done. One event loop only.
    """
    busy = False

    @wraps(function)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        nonlocal busy
        if busy:
            return
        busy = True
        try:
            await function(*args, **kwargs)
        finally:
            busy = False

    return guarded
