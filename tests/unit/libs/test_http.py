import asyncio
import gzip
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from libs.http import (
    MAX_ANSWER,
    AnswerTooLarge,
    CircuitBreaker,
    CircuitOpen,
    HttpClient,
    NoAnswer,
    NotDelivered,
    Refused,
    retry_after_seconds,
)
from tests.support.http import listening

URL = "https://provider.example/api"
Answer = httpx.Response | BaseException


class Provider:
    """Answers with what it was given, in order; the last again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers)


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client(provider: Provider, time: Time, jitter: Callable[[], float] = lambda: 0.0) -> HttpClient:
    return HttpClient(
        user_agent="colonnade/1",
        transport=httpx.MockTransport(provider),
        clock=time,
        sleep=time.sleep,
        jitter=jitter,
    )


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(503),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
    ],
)
async def test_reads_are_repeated_after_1_2_and_4_seconds(trouble: Answer) -> None:
    provider, time = Provider(trouble, trouble, trouble, httpx.Response(200)), Time()
    async with client(provider, time) as http:
        response = await http.read("GET", URL, circuit="x")
    assert response.status_code == 200
    assert time.slept == [1.0, 2.0, 4.0]
    assert provider.requests[0].headers["user-agent"] == "colonnade/1"


async def test_reads_give_up_after_the_third_repetition() -> None:
    provider, time = Provider(httpx.Response(503)), Time()
    async with client(provider, time, jitter=lambda: 1.0) as http:
        response = await http.read("GET", URL, circuit="x")
    assert response.status_code == 503
    assert len(provider.requests) == 4
    assert time.slept == [1.5, 3.0, 6.0]


@pytest.mark.parametrize("status", [200, 304, 400, 401, 404])
async def test_reads_are_not_repeated_after_other_answers(status: int) -> None:
    provider, time = Provider(httpx.Response(status)), Time()
    async with client(provider, time) as http:
        assert (await http.read("GET", URL, circuit="x")).status_code == status
    assert len(provider.requests) == 1


async def test_reads_are_not_repeated_after_a_timeout() -> None:
    provider, time = Provider(httpx.ReadTimeout("slow")), Time()
    async with client(provider, time) as http:
        with pytest.raises(NoAnswer, match="ReadTimeout"):
            await http.read("GET", URL, circuit="x")
    assert len(provider.requests) == 1


async def test_reads_wait_as_asked_unless_it_is_too_long() -> None:
    short = httpx.Response(429, headers={"Retry-After": "3"})
    provider, time = Provider(short, httpx.Response(429, headers={"Retry-After": "11"})), Time()
    async with client(provider, time) as http:
        response = await http.read("GET", URL, circuit="x")
    assert response.headers["retry-after"] == "11"
    assert time.slept == [3.0]


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (httpx.ConnectError("no such host"), NotDelivered),
        (httpx.ConnectTimeout("slow"), NotDelivered),
        (httpx.PoolTimeout("busy"), NotDelivered),
        (httpx.ProxyError("refused"), NotDelivered),
        (httpx.ReadTimeout("slow"), NoAnswer),
        (httpx.WriteError("reset"), NoAnswer),
        (httpx.ReadError("reset"), NoAnswer),
        (httpx.RemoteProtocolError("closed"), NoAnswer),
        (httpx.LocalProtocolError("odd"), NoAnswer),
        (httpx.DecodingError("gzip"), NoAnswer),
    ],
)
async def test_writes_are_sent_once_and_tell_whether_they_may_have_arrived(
    trouble: Exception, error: type[Exception]
) -> None:
    provider, time = Provider(trouble), Time()
    async with client(provider, time) as http:
        with pytest.raises(error) as caught:
            await http.write_once("POST", URL, circuit="x")
    assert type(caught.value) is error
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert len(provider.requests) == 1
    assert time.slept == []


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_writes_are_never_repeated(status: int) -> None:
    provider, time = Provider(httpx.Response(status)), Time()
    async with client(provider, time) as http:
        assert (await http.write_once("POST", URL, circuit="x")).status_code == status
    assert len(provider.requests) == 1


async def test_the_whole_exchange_has_a_time_limit() -> None:
    async def dawdle(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        return httpx.Response(200)

    transport = httpx.MockTransport(dawdle)
    async with HttpClient(user_agent="x", total=0.02, transport=transport) as http:
        with pytest.raises(NoAnswer, match="TimeoutError"):
            await http.write_once("POST", URL, circuit="x")


async def test_a_refused_connection_is_not_delivered() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with HttpClient(user_agent="x") as http:
        with pytest.raises(NotDelivered, match="ConnectError"):
            await http.write_once("POST", f"http://127.0.0.1:{port}", circuit="x")


async def test_a_connection_is_not_used_again_when_its_server_may_just_be_closing_it() -> None:
    """Many close it after 5 s; a request that is on its way then may have been carried out."""
    clients: list[object] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        clients.append(scope["client"])
        await PlainTextResponse("well")(scope, receive, send)

    async with listening(answer) as url, HttpClient(user_agent="x") as http:
        await http.read("GET", url, circuit="x")
        await asyncio.sleep(2.5)
        await http.read("GET", url, circuit="x")
    assert len(set(clients)) == 2


async def test_five_failures_break_a_circuit_for_reads_for_a_minute() -> None:
    provider, time = Provider(httpx.Response(500)), Time()
    async with client(provider, time) as http:
        await http.read("GET", URL, circuit="a")
        with pytest.raises(CircuitOpen):
            await http.read("GET", URL, circuit="a")
        assert len(provider.requests) == 5
        with pytest.raises(CircuitOpen) as caught:
            await http.read("GET", URL, circuit="a")
        assert len(provider.requests) == 5
        assert 0 < caught.value.retry_after <= 60
        await http.read("GET", URL, circuit="b")
        time.now += 60
        provider.answers = [httpx.Response(200)]
        assert (await http.read("GET", URL, circuit="a")).status_code == 200


async def test_writes_are_broken_for_an_hour_and_apart_from_reads() -> None:
    provider, time = Provider(httpx.ReadTimeout("slow")), Time()
    async with client(provider, time) as http:
        for _ in range(5):
            with pytest.raises(NoAnswer):
                await http.write_once("POST", URL, circuit="a")
        with pytest.raises(CircuitOpen) as caught:
            await http.write_once("POST", URL, circuit="a")
        assert caught.value.retry_after == 3600
        provider.answers = [httpx.Response(200)]
        assert (await http.read("GET", URL, circuit="a")).status_code == 200
        time.now += 3600
        assert (await http.write_once("POST", URL, circuit="a")).status_code == 200


async def test_a_cancelled_probe_leaves_the_circuit_ready_for_another() -> None:
    provider, time = Provider(httpx.ReadTimeout("slow")), Time()
    async with client(provider, time) as http:
        for _ in range(5):
            with pytest.raises(NoAnswer):
                await http.write_once("POST", URL, circuit="a")
        time.now += 3600
        provider.answers = [asyncio.CancelledError()]
        with pytest.raises(asyncio.CancelledError):
            await http.write_once("POST", URL, circuit="a")
        provider.answers = [httpx.Response(200)]
        assert (await http.write_once("POST", URL, circuit="a")).status_code == 200


def test_a_success_in_between_closes_the_count() -> None:
    breaker = CircuitBreaker(failures=2, open_for=60, clock=Time())
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.admit()
    breaker.failed()
    with pytest.raises(CircuitOpen):
        breaker.admit()


def test_half_open_lets_one_probe_through_and_opens_again_if_it_fails() -> None:
    time = Time()
    breaker = CircuitBreaker(failures=1, open_for=60, clock=time)
    breaker.failed()
    time.now += 60
    breaker.admit()
    with pytest.raises(CircuitOpen):
        breaker.admit()
    breaker.failed()
    time.now += 59
    with pytest.raises(CircuitOpen) as caught:
        breaker.admit()
    assert caught.value.retry_after == 1
    time.now += 1
    breaker.admit()
    breaker.succeeded()
    breaker.admit()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Tue, 01 Dec 2026 12:01:30 GMT", 90.0),
        ("Tue, 01 Dec 2026 12:01:30 -0000", 90.0),
        ("Tue, 01 Dec 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    headers = httpx.Headers({"Retry-After": value})
    assert retry_after_seconds(headers, lambda: now) == seconds


def test_no_retry_after() -> None:
    assert retry_after_seconds(httpx.Headers()) is None


@pytest.mark.parametrize("size", [MAX_ANSWER, MAX_ANSWER + 1])
async def test_an_answer_is_read_up_to_its_limit(size: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = gzip.compress(bytes(size), compresslevel=1)
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=body)

    async with HttpClient(user_agent="x", transport=httpx.MockTransport(answer)) as http:
        if size > MAX_ANSWER:
            with pytest.raises(AnswerTooLarge):
                await http.write_once("POST", URL, circuit="x")
        else:
            response = await http.write_once("POST", URL, circuit="x")
            assert response.content == bytes(size)


async def test_what_the_guard_refuses_is_not_sent_nor_tried_again() -> None:
    provider, time = Provider(httpx.Response(200)), Time()

    async def guard(url: httpx.URL) -> None:
        raise Refused(f"{url.host} is forbidden")

    transport = httpx.MockTransport(provider)
    async with HttpClient(
        user_agent="x", transport=transport, guard=guard, sleep=time.sleep
    ) as http:
        with pytest.raises(Refused, match="is forbidden"):
            await http.read("GET", URL, circuit="x")
    assert provider.requests == []
    assert time.slept == []
