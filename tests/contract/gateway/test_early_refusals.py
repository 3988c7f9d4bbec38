"""A service that refuses an upload before it has read it: whoever sends learns why."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import httpx
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    CatalogServiceStub,
    add_CatalogServiceServicer_to_server,
)

from libs import errors
from libs.rpc.auth import Authenticator
from libs.rpc.outcome import Outcome
from libs.rpc.status import from_rpc_error
from tests.contract.gateway.conftest import error_of
from tests.support.rpc import serve
from tests.support.shelves import Shelves, serving
from tests.support.studio import SERVICE, message

METHOD = f"/{SERVICE}/UploadPicture"
ROUNDS = 200
PIECES = 3


@pytest.fixture
async def channel(shelves: Shelves) -> AsyncIterator[grpc.aio.Channel]:
    shelves.answers["UploadPicture"] = errors.InvalidArgument.of("chunk", "is not a picture")
    async with serving(shelves) as channel:
        yield channel


def requests() -> list[Any]:
    request = message("UploadPictureRequest")
    first = request()
    first.header.SetInParent()
    return [first] + [request(chunk=b"x" * 2**18)] * PIECES


def upload_on(channel: Any) -> Any:
    return channel.stream_unary(
        METHOD,
        request_serializer=message("UploadPictureRequest").SerializeToString,
        response_deserializer=message("UploadPictureResponse").FromString,
    )


async def test_a_caller_who_writes(channel: grpc.aio.Channel) -> None:
    upload = upload_on(channel)
    for _ in range(ROUNDS):
        call = upload()
        outcome = Outcome(call)
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for request in requests():
                await call.write(request)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await outcome.response()
        assert from_rpc_error(raised.value).message == "chunk: is not a picture"


async def test_a_caller_who_hands_an_iterator(channel: grpc.aio.Channel) -> None:
    upload = upload_on(channel)

    async def each() -> AsyncIterator[Any]:
        for request in requests():
            yield request

    for _ in range(ROUNDS):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await Outcome(upload(each())).response()
        assert from_rpc_error(raised.value).message == "chunk: is not a picture"


async def test_a_caller_without_a_key() -> None:
    """Refused by what surrounds every service, which reads nothing of the upload."""
    described = catalog.DESCRIPTOR.services_by_name["CatalogService"]
    photo = [catalog.UploadPhotoRequest(chunk=b"x" * 2**18)] * PIECES

    async def each() -> AsyncIterator[catalog.UploadPhotoRequest]:
        for request in photo:
            yield request

    async with serve(
        CatalogServiceServicer(),
        described,
        add_CatalogServiceServicer_to_server,
        CatalogServiceStub,
        authenticator=Authenticator([]),
    ) as stub:
        for _ in range(ROUNDS):
            with pytest.raises(errors.Unauthenticated):
                await stub.UploadPhoto(each())


async def test_a_caller_of_rest(client: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["UploadPicture"] = errors.InvalidArgument.of("chunk", "is not a picture")
    for _ in range(ROUNDS):
        answer = await client.post(
            "/v1/shelves/7/pictures:upload",
            content=b"x" * 700_000,
            headers={"content-type": "image/jpeg"},
        )
        error = error_of(answer)
        assert (error["code"], error["message"]) == (400, "chunk: is not a picture")
