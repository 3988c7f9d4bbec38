"""The stream of an upload: its order, and hearing out whoever is refused."""

from collections.abc import AsyncIterator

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb

from libs.errors import InvalidArgument, NotFound
from services.catalog.chunks import UploadStream

HEADER = pb.UploadPhotoRequest(header=pb.PhotoUpload(parent="personas/nora"))
CHUNK = pb.UploadPhotoRequest(chunk=b"x" * 100)


class Sender:
    """Sends messages and counts how many were taken."""

    def __init__(self, *messages: pb.UploadPhotoRequest) -> None:
        self._messages = messages
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[pb.UploadPhotoRequest]:
        for message in self._messages:
            self.taken += 1
            yield message


def stream_of(sender: Sender) -> UploadStream:
    return UploadStream(aiter(sender))


async def test_header_then_chunks() -> None:
    stream = stream_of(Sender(HEADER, CHUNK, CHUNK))
    assert (await stream.header()).parent == "personas/nora"
    assert [chunk async for chunk in stream.chunks()] == [CHUNK.chunk, CHUNK.chunk]


@pytest.mark.parametrize("messages", [(), (CHUNK, HEADER)])
async def test_the_header_comes_first(messages: tuple[pb.UploadPhotoRequest, ...]) -> None:
    with pytest.raises(InvalidArgument, match="header"):
        await stream_of(Sender(*messages)).header()


async def test_a_second_header_is_refused() -> None:
    stream = stream_of(Sender(HEADER, CHUNK, HEADER))
    await stream.header()
    with pytest.raises(InvalidArgument, match="header"):
        _ = [chunk async for chunk in stream.chunks()]


@pytest.mark.parametrize(("limit", "taken"), [(10_000, 11), (250, 4), (0, 2)])
async def test_a_refused_sender_is_heard_out_within_limits(limit: int, taken: int) -> None:
    sender = Sender(HEADER, *[CHUNK] * 10)
    stream = stream_of(sender)
    with pytest.raises(NotFound):
        async with stream.heard_out(limit):
            await stream.header()
            raise NotFound("persona", "personas/nora")
    assert sender.taken == taken


async def test_nothing_more_is_taken_when_all_is_well() -> None:
    sender = Sender(HEADER, *[CHUNK] * 10)
    stream = stream_of(sender)
    async with stream.heard_out(10_000):
        await stream.header()
    assert sender.taken == 1
