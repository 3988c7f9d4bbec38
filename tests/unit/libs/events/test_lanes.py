from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from libs.events.lanes import Lanes
from libs.events.wire import Delivery
from tests.support.events import event


def delivery(entry: int, key: str = "k", type: str = "a", before: int = 0) -> Delivery:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return Delivery("stream", f"{entry}-0", event(key, entry, type), now).again(before)


def entries(deliveries: list[Delivery]) -> list[str]:
    return [d.event.payload.decode() for d in deliveries]


def test_one_at_a_time_of_a_key() -> None:
    lanes = Lanes({})
    first, second = delivery(1), delivery(2)
    lanes.add([first, second])
    assert lanes.take() == [first]
    assert lanes.take() == []
    lanes.done([first])
    assert lanes.take() == [second]


def test_a_batch_has_one_type_and_different_keys() -> None:
    lanes = Lanes({"a": 3, "b": 3})
    lanes.add(
        [
            delivery(1, "k"),
            delivery(2, "l", "b"),
            delivery(3, "m"),
            delivery(4, "k"),
            delivery(5, "l"),
            delivery(6, "n"),
            delivery(7, "o"),
        ]
    )
    # 4 waits for 1, and 5 for 2, which is of another type.
    assert entries(lanes.take()) == ["1", "3", "6"]
    assert entries(lanes.take()) == ["2"]
    assert entries(lanes.take()) == ["7"]
    assert lanes.take() == []
    assert lanes.waiting == 2


def test_what_failed_before_goes_alone() -> None:
    lanes = Lanes({"a": 3})
    lanes.add([delivery(1, "k"), delivery(2, "l", before=1), delivery(3, "m")])
    assert entries(lanes.take()) == ["1", "3"]
    assert entries(lanes.take()) == ["2"]

    lanes.add([delivery(4, "n", before=1), delivery(5, "o"), delivery(6, "p", before=1)])
    assert entries(lanes.take()) == ["4"]


def test_the_same_entry_is_not_taken_in_twice() -> None:
    lanes = Lanes({})
    lanes.add([delivery(1), delivery(2)])
    lanes.take()
    lanes.add([delivery(1), delivery(2), delivery(3)])
    assert entries(lanes.held()) == ["1", "2", "3"]


@given(
    st.lists(st.tuples(st.sampled_from("klmn"), st.sampled_from("ab")), max_size=40),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_whatever_comes_is_handled_once_and_in_order_of_its_key(kinds, size, random) -> None:  # type: ignore[no-untyped-def]
    lanes = Lanes({"a": size, "b": size})
    lanes.add(delivery(number, key, type) for number, (key, type) in enumerate(kinds))
    handled: list[Delivery] = []
    in_work: list[list[Delivery]] = []
    while lanes.held():
        batch = lanes.take()
        if batch:
            assert len({d.event.type for d in batch}) == 1
            assert len(batch) <= size
            in_work.append(batch)
        if not batch or random.random() < 0.5:
            done = in_work.pop(random.randrange(len(in_work)))
            lanes.done(done)
            handled += done
    assert sorted(int(n) for n in entries(handled)) == list(range(len(kinds)))
    for key in "klmn":
        numbers = [int(d.event.payload) for d in handled if d.event.ordering_key == key]
        assert numbers == sorted(numbers)
