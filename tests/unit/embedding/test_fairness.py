"""Whose turn it is: scopes alternate whatever they bring, and nobody is locked out."""

import asyncio
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import OutOfQuota
from services.embedding.fairness import Admission, FairGate, FairQueue, Lane, Turn

KEYS = st.sampled_from("abc")


def drained(queue: FairQueue[str]) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_scopes_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"):
        queue.push(item[0], item)
    assert drained(queue) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_ten_items_are_done_before_the_twentieth_of_five_thousand() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(5000):
        queue.push("large", f"large {number}")
    for number in range(10):
        queue.push("small", f"small {number}")
    order = drained(queue)
    assert order.index("small 9") < 20
    assert len(order) == 5010


def test_dear_items_use_up_the_turns_of_their_scope() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(4):
        queue.push("dear", f"dear {number}", cost=5.0)
    for number in range(20):
        queue.push("cheap", f"cheap {number}")
    order = drained(queue)
    assert 4 <= order.index("dear 0") <= 6
    assert 13 <= order.index("dear 2") <= 17
    assert order.index("cheap 9") < order.index("dear 2")


def test_saving_up_turns_does_not_pay() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push("a", "a1", cost=10.0)
    queue.push("b", "b1")
    assert queue.pop() == "b1"
    queue.discard("a", "a1")
    for item in ("a2", "a3", "a4", "b2", "b3"):
        queue.push(item[0], item)
    assert drained(queue)[:4] == ["a2", "b2", "a3", "b3"]


def test_an_absurd_cost_does_not_hold_up_the_search_for_the_next() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push("a", "a1", cost=1e12)
    assert queue.pop() == "a1"
    with pytest.raises(IndexError):
        queue.pop()


@given(
    st.lists(st.one_of(st.tuples(st.just("push"), KEYS), st.tuples(st.just("pop"), KEYS),
                       st.tuples(st.just("leave"), KEYS)), max_size=200)
)  # fmt: skip
def test_nothing_is_lost_or_doubled_and_a_scope_keeps_its_order(
    steps: list[tuple[str, str]],
) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    waiting: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for number, (step, key) in enumerate(steps):
        if step == "push":
            queue.push(key, (key, number))
            waiting[key].append(number)
        elif step == "leave" and waiting[key]:
            queue.discard(key, (key, waiting[key].pop()))
        elif step == "pop" and len(queue):
            taken, value = queue.pop()
            assert waiting[taken].pop(0) == value
        assert len(queue) == sum(map(len, waiting.values()))
    assert sorted(queue.clear()) == sorted(
        (k, n) for k, numbers in waiting.items() for n in numbers
    )
    assert len(queue) == 0


@given(st.lists(KEYS, min_size=1, max_size=120))
def test_while_two_scopes_wait_neither_gets_two_more_than_the_other(pushed: list[str]) -> None:
    queue: FairQueue[str] = FairQueue()
    for number, key in enumerate(pushed):
        queue.push(key, f"{key}{number}")
    left = Counter(pushed)
    taken: Counter[str] = Counter()
    while len(queue):
        taken[queue.pop()[0]] += 1
        still = [key for key in left if taken[key] < left[key]]
        assert all(abs(taken[a] - taken[b]) <= 1 for a, b in pairwise(still))


def test_a_full_lane_lets_in_a_scope_with_less_than_its_share() -> None:
    admission = Admission(10)
    large, small = Turn(Lane.BULK, "large"), Turn(Lane.BULK, "small")
    with ExitStack() as held:
        for _ in range(10):
            held.enter_context(admission.admitted(large, 0.5))
        with pytest.raises(OutOfQuota) as raised, admission.admitted(large, 0.5):
            pass
        assert raised.value.retry_after == 5.0
        for _ in range(5):
            held.enter_context(admission.admitted(small, 0.5))
        with pytest.raises(OutOfQuota), admission.admitted(small, 0.5):
            pass
        held.enter_context(admission.admitted(Turn(Lane.INTERACTIVE, "large"), 0.5))
    with admission.admitted(large, 0.5), admission.admitted(small, 0.5):
        pass


def test_many_scopes_together_do_not_overfill_a_lane_without_bound() -> None:
    admission = Admission(8)
    let_in = 0
    with ExitStack() as held:
        for number in range(100):
            try:
                held.enter_context(admission.admitted(Turn(key=str(number)), 0.1))
                let_in += 1
            except OutOfQuota:
                pass
    assert 8 <= let_in <= 16


async def test_a_gate_lets_scopes_in_by_turns() -> None:
    gate = FairGate(1)
    order: list[str] = []

    async def pass_through(name: str) -> None:
        async with gate.slot(Turn(key=name[0])):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for name in ("a0", "a1", "a2", "b1", "b2"):
            group.create_task(pass_through(name))
    assert order == ["a0", "a1", "b1", "a2", "b2"]


async def test_people_do_not_wait_at_a_gate_full_of_background_work() -> None:
    gate = FairGate(1)
    async with gate.slot(Turn(Lane.BULK)), asyncio.timeout(60), gate.slot(Turn()):
        pass


async def test_who_leaves_a_gate_gives_up_no_slot_of_others() -> None:
    gate = FairGate(1)

    async def pass_through() -> None:
        async with gate.slot(Turn()):
            pass

    async with gate.slot(Turn()):
        leaving, staying = (asyncio.create_task(pass_through()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    async with asyncio.timeout(60):
        await staying

    async with gate.slot(Turn()):
        given = asyncio.create_task(pass_through())
        await asyncio.sleep(0)
    given.cancel()  # just after the slot was handed to it
    await asyncio.gather(given, return_exceptions=True)
    async with asyncio.timeout(60), gate.slot(Turn()):
        pass
