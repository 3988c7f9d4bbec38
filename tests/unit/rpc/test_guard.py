"""Every call, whatever its shape, meets the same guard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from prometheus_client import CollectorRegistry

from libs.errors import (
    AlreadyExists,
    ColonnadeError,
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    Violation,
)
from libs.rpc import guard
from libs.rpc.auth import Authenticator, new_key
from libs.rpc.call import current_call
from libs.rpc.guard import CallGuard
from libs.rpc.middleware import Middleware
from libs.rpc.outcome import Outcome
from libs.rpc.policy import Policy
from libs.rpc.status import from_rpc_error
from libs.telemetry import RpcMetrics
from tests.support.wait import eventually

SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
SERVICE = "test.Echo"


def path(shape: str) -> str:
    return f"/{SERVICE}/{shape}"


async def echo(request: StringValue) -> StringValue:
    """Answers what it got; certain words make it fail."""
    if request.value == "slow":
        await asyncio.Event().wait()
    if request.value == "bug":
        raise KeyError("secret detail")
    if request.value == "caller":
        call = current_call.get()
        return StringValue(value=call.caller if call else "")
    if error := ERRORS.get(request.value):
        raise error
    return request


ERRORS: dict[str, ColonnadeError] = {
    "invalid": InvalidArgument("no", [Violation("a.b", "must be c")], metadata={"k": "v"}),
    "missing": NotFound("photo", "personas/a/photos/b"),
    "exists": AlreadyExists("post", "personas/a/posts/b", reason="PHOTO_ALREADY_SCHEDULED"),
    "state": FailedPrecondition("not now", reason="NOT_EMPTY"),
    "race": Conflict("lost"),
    "quota": OutOfQuota("full", retry_after=2.5),
    "down": Unavailable("away", retry_after=7),
    "who": Unauthenticated("who"),
    "denied": PermissionDenied("no"),
    "late": DeadlineExceeded("late"),
}


def handlers() -> grpc.GenericRpcHandler:
    async def unary_unary(request: StringValue, _: Any) -> StringValue:
        return await echo(request)

    async def unary_stream(request: StringValue, _: Any) -> AsyncIterator[StringValue]:
        while request.value == "endless":
            yield StringValue(value="x" * 2**16)
        yield await echo(request)

    async def stream_unary(requests: AsyncIterator[StringValue], _: Any) -> StringValue:
        return [await echo(r) async for r in requests][-1]

    async def stream_stream(
        requests: AsyncIterator[StringValue], _: Any
    ) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield await echo(request)

    local = locals()
    made = {
        shape: getattr(grpc, f"{shape}_rpc_method_handler")(
            local[shape], StringValue.FromString, StringValue.SerializeToString
        )
        for shape in SHAPES
    }
    return grpc.method_handlers_generic_handler(SERVICE, made)


def refuse_bad(message: Any) -> None:
    if message.value == "bad":
        raise InvalidArgument.of("value", "must not be bad")


@asynccontextmanager
async def echo_server(
    authenticator: Authenticator, registry: CollectorRegistry | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    policies = {path(shape): Policy("echo.read", True, 5) for shape in SHAPES}
    every_call = CallGuard(policies, authenticator, RpcMetrics(registry or CollectorRegistry()))
    surrounding = Middleware(every_call, refuse_bad, every_call.knows)
    server = grpc.aio.server(interceptors=[surrounding])
    server.add_generic_rpc_handlers((handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)


async def call(channel: grpc.aio.Channel, shape: str, word: str, **options: Any) -> str:
    """The first answer to ``word``; a failure raised as one of ours."""
    method = getattr(channel, shape)(
        path(shape), StringValue.SerializeToString, StringValue.FromString
    )
    request: Any = StringValue(value=word)
    if shape.startswith("stream"):
        request = _once(request)
    made = method(request, **options)
    outcome = Outcome(made)
    try:
        if shape.endswith("unary"):
            return str((await made).value)
        answers = [answer.value async for answer in made]
        return str(answers[0])
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(outcome.of(error)) from None


async def _once(request: StringValue) -> AsyncIterator[StringValue]:
    yield request


@pytest.mark.parametrize("shape", SHAPES)
class TestEveryShape:
    async def test_passes_a_good_call(self, shape: str) -> None:
        async with echo_server(Authenticator()) as channel:
            assert await call(channel, shape, "hello") == "hello"

    @pytest.mark.parametrize("word", ERRORS)
    async def test_carries_every_error_whole(self, shape: str, word: str) -> None:
        expected = ERRORS[word]
        async with echo_server(Authenticator()) as channel:
            with pytest.raises(type(expected)) as raised:
                await call(channel, shape, word)
        got = raised.value
        assert (got.message, got.reason) == (expected.message, expected.reason)
        assert got.metadata == expected.metadata
        assert getattr(got, "violations", None) == getattr(expected, "violations", None)
        assert getattr(got, "retry_after", None) == getattr(expected, "retry_after", None)

    async def test_says_nothing_of_an_unplanned_error_but_an_id(
        self, shape: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with echo_server(Authenticator()) as channel:
            with pytest.raises(Internal) as raised:
                await call(channel, shape, "bug")
        assert "secret" not in raised.value.message
        assert raised.value.metadata["error_id"] in caplog.text

    async def test_checks_requests(self, shape: str) -> None:
        async with echo_server(Authenticator()) as channel:
            with pytest.raises(InvalidArgument) as raised:
                await call(channel, shape, "bad")
        assert raised.value.violations == (Violation("value", "must not be bad"),)

    async def test_ends_before_its_caller_gives_up(
        self, shape: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As much before as a busy machine may need to bring the answer back.
        monkeypatch.setattr(guard, "_SHAVE", 59.7)
        async with echo_server(Authenticator()) as channel:
            with pytest.raises(DeadlineExceeded) as raised:
                await call(channel, shape, "slow", timeout=60)
        assert raised.value.message in (
            "the time allowed for the call has run out",
            # A machine that needs so long to bring the call.
            "too little time is left to start; allow more",
        )

    async def test_asks_for_a_key_with_the_scope(self, shape: str) -> None:
        text, key = new_key("ci", ["echo.read"])
        other, weak = new_key("ui", ["catalog.*"])
        async with echo_server(Authenticator([key, weak])) as channel:
            with pytest.raises(Unauthenticated):
                await call(channel, shape, "hello")
            with pytest.raises(Unauthenticated):
                await call(channel, shape, "hello", metadata=(("x-api-key", text + "x"),))
            with pytest.raises(PermissionDenied, match=r"ui lacks the scope echo\.read"):
                await call(channel, shape, "hello", metadata=(("x-api-key", other),))
            bearer = (("authorization", f"Bearer {text}"),)
            assert await call(channel, shape, "caller", metadata=bearer) == "ci"


async def test_a_stream_whose_caller_goes_away_ends_as_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = CollectorRegistry()

    async def codes() -> set[str]:
        samples = [s for metric in registry.collect() for s in metric.samples]
        return {s.labels["code"] for s in samples if s.labels.get("code") and s.value}

    async with echo_server(Authenticator(), registry) as channel:
        method = channel.unary_stream(
            path("unary_stream"), StringValue.SerializeToString, StringValue.FromString
        )
        answers = method(StringValue(value="endless"))
        assert await answers.read()
        answers.cancel()
        assert await eventually(codes) == {"CANCELLED"}
    assert not caplog.records
