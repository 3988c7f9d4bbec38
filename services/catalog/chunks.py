"""The stream of an upload: a header, then chunks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, Literal, Protocol, TypeVar

from libs.errors import ColonnadeError, InvalidArgument

Header = TypeVar("Header", covariant=True)


class Part(Protocol[Header]):
    """A message of an upload: the header or a chunk."""

    @property
    def header(self) -> Header: ...
    @property
    def chunk(self) -> bytes: ...
    def HasField(self, field_name: Literal["header"]) -> bool: ...


class UploadStream(Generic[Header]):
    """Reads the messages of one upload in the order that the contract asks for."""

    def __init__(self, requests: AsyncIterator[Part[Header]]) -> None:
        self._requests = requests

    async def header(self) -> Header:
        """The first message. Raises InvalidArgument if it is something else."""
        first = await anext(self._requests, None)
        if first is None or not first.HasField("header"):
            raise InvalidArgument.of("header", "send it as the first message of the stream")
        return first.header

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes that follow. Raises InvalidArgument if a header is among them."""
        async for request in self._requests:
            if request.HasField("header"):
                raise InvalidArgument.of("header", "send it once, as the first message only")
            yield request.chunk

    @asynccontextmanager
    async def heard_out(self, max_bytes: int) -> AsyncIterator[None]:
        """When the block refuses the upload, takes in and drops what is still being sent.

        A Python client whose write is cut off may report that instead of the refusal. Whoever still
        sends after ``max_bytes`` more is cut off all the same.
        """
        try:
            yield
        except ColonnadeError:
            await self._drop(max_bytes)
            raise

    async def _drop(self, max_bytes: int) -> None:
        dropped = 0
        async for request in self._requests:
            dropped += len(request.chunk)
            if dropped > max_bytes:
                return
