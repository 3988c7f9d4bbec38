"""Images that come one after the other, for as long as their sender likes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from libs.cancellation import cancel_and_wait
from libs.errors import ColonnadeError, InvalidArgument, OutOfQuota

T = TypeVar("T")
R = TypeVar("R")

Answer = tuple[str, R | ColonnadeError]


async def answered(
    requests: AsyncIterator[tuple[str, T]],
    work: Callable[[T], Awaitable[R]],
    window: int,
    size_of: Callable[[T], int] = lambda _: 1,
) -> AsyncGenerator[Answer[R], None]:
    """The id of each request and what ``work`` made of it, as they become ready.

    At most ``window`` places are taken by requests in hand: in work, or done and not yet taken by
    the caller. ``size_of`` tells how many places one takes; one that does not fit takes them all.
    Beyond the one request that waits for its places nothing is read, which slows the sender down.

    Raises ``InvalidArgument`` when an id comes twice, and whatever ``requests`` raises; what is in
    work then is dropped, as it is when the caller stops.
    """
    places = asyncio.Semaphore(window)
    sizes: dict[str, int] = {}
    done: asyncio.Queue[Answer[R] | BaseException | None] = asyncio.Queue()
    workers: set[asyncio.Task[None]] = set()

    async def one(id: str, request: T) -> None:
        try:
            done.put_nowait((id, await _patiently(work, request)))
        except ColonnadeError as error:
            done.put_nowait((id, error))
        except Exception as error:
            done.put_nowait(error)

    async def read() -> None:
        async for id, request in _distinct(requests):
            sizes[id] = min(window, size_of(request))
            for _ in range(sizes[id]):
                await places.acquire()
            worker = asyncio.create_task(one(id, request))
            workers.add(worker)
            worker.add_done_callback(workers.discard)
        await asyncio.gather(*workers)

    def ended(task: asyncio.Task[None]) -> None:
        done.put_nowait(None if task.cancelled() else task.exception())

    reader = asyncio.create_task(read())
    reader.add_done_callback(ended)
    try:
        while (answer := await done.get()) is not None:
            if isinstance(answer, BaseException):
                raise answer
            yield answer
            for _ in range(sizes.pop(answer[0])):
                places.release()
    finally:
        await cancel_and_wait([reader, *workers])


async def _distinct(requests: AsyncIterator[tuple[str, T]]) -> AsyncIterator[tuple[str, T]]:
    seen: set[str] = set()
    async for id, request in requests:
        if id in seen:
            raise InvalidArgument.of("id", f"{id[:100]!r} was sent before; ids must differ")
        seen.add(id)
        yield id, request


async def _patiently(work: Callable[[T], Awaitable[R]], request: T) -> R:
    """Tries again when the queue is full: the sender is slowed down already, so nothing is lost."""
    while True:
        try:
            return await work(request)
        except OutOfQuota as error:
            if error.reason != "QUEUE_FULL":
                raise
            await asyncio.sleep(error.retry_after)
