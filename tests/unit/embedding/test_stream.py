"""A stream of images: answers when ready, no more in hand than allowed, nothing left over."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InvalidArgument, NotFound, OutOfQuota
from services.embedding.stream import answered


async def sent(requests: Iterable[tuple[str, str]]) -> AsyncIterator[tuple[str, str]]:
    for request in requests:
        yield request


async def upper(text: str) -> str:
    return text.upper()


@settings(max_examples=50)
@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 8))
def test_each_request_has_its_own_answer(delays: list[int], window: int) -> None:
    async def work(text: str) -> str:
        for _ in range(delays[int(text)]):
            await asyncio.sleep(0)
        if delays[int(text)] == 3:
            raise NotFound("image", text)
        return f"result {text}"

    async def scenario() -> None:
        requests = sent((f"id {number}", str(number)) for number in range(len(delays)))
        results = {id: result async for id, result in answered(requests, work, window)}
        assert len(results) == len(delays)
        for number, delay in enumerate(delays):
            result = results[f"id {number}"]
            if delay == 3:
                assert isinstance(result, NotFound) and result.name == str(number)
            else:
                assert result == f"result {number}"

    asyncio.run(scenario())


async def test_answers_come_as_they_are_ready() -> None:
    slow = asyncio.Event()

    async def work(text: str) -> str:
        if text == "slow":
            await slow.wait()
        return text

    requests = sent([("1", "slow"), ("2", "fast"), ("3", "fast")])
    ids = []
    async for id, _ in answered(requests, work, 4):
        ids.append(id)
        if len(ids) == 2:
            slow.set()
    assert ids == ["2", "3", "1"]


@pytest.mark.parametrize(("size", "in_hand"), [(1, 6), (2, 3), (5, 1), (100, 1)])
async def test_no_more_is_read_than_may_be_in_hand(size: int, in_hand: int) -> None:
    read = 0

    async def requests() -> AsyncIterator[tuple[str, str]]:
        nonlocal read
        for number in range(20):
            read += 1
            yield str(number), "x"

    taken = 0
    async for _ in answered(requests(), upper, 6, lambda _: size):
        for _ in range(10):
            await asyncio.sleep(0)
        assert read <= taken + in_hand + 1  # and the one that waits for its place
        taken += 1
    assert (read, taken) == (20, 20)


async def test_an_id_that_comes_twice_ends_the_stream() -> None:
    never = asyncio.Event()
    dropped = []

    async def work(text: str) -> str:
        try:
            await never.wait()
        finally:
            dropped.append(text)
        return text

    requests = sent([("1", "a"), ("2", "b"), ("1", "c")])
    with pytest.raises(InvalidArgument, match="'1' was sent before"):
        async for _ in answered(requests, work, 8):
            pass
    assert sorted(dropped) == ["a", "b"]


async def test_when_the_caller_stops_the_work_is_dropped() -> None:
    dropped = []

    async def work(text: str) -> str:
        try:
            if text != "first":
                await asyncio.Event().wait()
        finally:
            dropped.append(text)
        return text

    async def requests() -> AsyncIterator[tuple[str, str]]:
        yield "1", "first"
        yield "2", "second"
        await asyncio.Event().wait()

    async with aclosing(answered(requests(), work, 8)) as answers:
        async for id, _ in answers:
            assert id == "1"
            break
    assert dropped == ["first", "second"]


async def test_a_full_queue_slows_the_sender_down() -> None:
    refused = 0

    async def work(text: str) -> str:
        nonlocal refused
        if refused < 3:
            refused += 1
            raise OutOfQuota("full", retry_after=0.0, reason="QUEUE_FULL")
        return text

    assert [answer async for answer in answered(sent([("1", "a")]), work, 1)] == [("1", "a")]

    async def large(text: str) -> str:
        raise OutOfQuota("large", retry_after=0.0, reason="IMAGE_TOO_LARGE")

    ((_, error),) = [answer async for answer in answered(sent([("1", "a")]), large, 1)]
    assert isinstance(error, OutOfQuota)


async def test_what_nobody_planned_ends_the_stream() -> None:
    async def work(text: str) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async for _ in answered(sent([("1", "a")]), work, 1):
            pass


async def test_an_error_of_the_sender_ends_the_stream() -> None:
    async def requests() -> AsyncIterator[tuple[str, str]]:
        yield "1", "a"
        raise InvalidArgument.of("image", "is missing")

    seen = []
    with pytest.raises(InvalidArgument):
        async for id, _ in answered(requests(), upper, 1):
            seen.append(id)
    assert seen == ["1"]


async def test_an_empty_stream_has_no_answers() -> None:
    assert [answer async for answer in answered(sent([]), upper, 2)] == []
