"""What a server said of a call comes before what the client says of its own failed write."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from libs.rpc.outcome import Outcome

CORE = "Internal error from Core"
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, "no key")
OK = (grpc.StatusCode.OK, "")


class Call:
    """A call of grpc.aio whose status changes after it was told."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], None]] = []
        self._status = OK

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def end(self, status: tuple[grpc.StatusCode, str]) -> None:
        """The first status that comes; those who listen are told."""
        self._status = status
        for callback in self._callbacks:
            callback(self)

    async def code(self) -> grpc.StatusCode:
        return self._status[0]

    async def details(self) -> str:
        return self._status[1]

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(("error", str(self._status[1])))


def failed(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


@pytest.mark.parametrize(
    ("ended", "raised", "told"),
    [
        (REFUSED, (grpc.StatusCode.INTERNAL, CORE), REFUSED),
        (REFUSED, REFUSED, REFUSED),
        (OK, (grpc.StatusCode.INTERNAL, CORE), (grpc.StatusCode.INTERNAL, CORE)),
        (None, (grpc.StatusCode.INTERNAL, CORE), (grpc.StatusCode.INTERNAL, CORE)),
        (REFUSED, (grpc.StatusCode.INTERNAL, "of the server"), None),
        ((grpc.StatusCode.INTERNAL, CORE), (grpc.StatusCode.UNAVAILABLE, "gone"), None),
    ],
)
def test_the_status_of_the_server_is_told(
    ended: tuple[grpc.StatusCode, str] | None,
    raised: tuple[grpc.StatusCode, str],
    told: tuple[grpc.StatusCode, str] | None,
) -> None:
    call = Call()
    outcome = Outcome(call)
    if ended is not None:
        call.end(ended)
    error = outcome.of(failed(*raised))
    assert (error.code(), error.details()) == (told or raised)
