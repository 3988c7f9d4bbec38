"""How a call with a stream of requests really ended."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc

T = TypeVar("T")

_OF_CORE = "Internal error from Core"


class Outcome:
    """Tells how a call went, with a stream of requests, that may end before all is sent.

    A client of grpc.aio whose write fails because the server has already ended the call says
    INTERNAL in place of the status that the server sent (https://github.com/grpc/grpc/issues/36066).
    If that status came before the failed write, it is lost with the write; so it is taken down at
    the moment at which it comes. If it came after, the call itself gives it.

    Make one as soon as the call is made.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._ended: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._take_down)

    async def response(self) -> Any:
        """The answer. Raises grpc.aio.AioRpcError with the status that the server sent."""
        try:
            return await self._call
        except grpc.aio.AioRpcError as error:
            raise self.of(error) from None

    def of(self, error: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """The failure with the status that the server sent, for ``error`` that the call raised."""
        if _is_of_core(error) and self._ended and not _is_of_core(self._ended):
            return self._ended
        return error

    def _take_down(self, _: Any) -> None:
        code = _at_once(self._call.code())
        if code is grpc.StatusCode.OK:
            return
        self._ended = grpc.aio.AioRpcError(
            code,
            _at_once(self._call.initial_metadata()),
            _at_once(self._call.trailing_metadata()) or grpc.aio.Metadata(),
            _at_once(self._call.details()),
        )


def _is_of_core(error: grpc.aio.AioRpcError) -> bool:
    return error.code() is grpc.StatusCode.INTERNAL and error.details() == _OF_CORE


def _at_once(known: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that has nothing to wait for."""
    try:
        known.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    known.close()
    raise AssertionError("a call that has ended knows how")
