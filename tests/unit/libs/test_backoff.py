from libs.backoff import Backoff


def test_doubles_up_to_the_limit() -> None:
    backoff = Backoff(jitter=0)
    assert [backoff.next() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_begins_anew_after_a_success() -> None:
    backoff = Backoff(jitter=0)
    backoff.next(), backoff.next()
    backoff.reset()
    assert backoff.next() == 0.5


def test_jitter_is_at_most_a_fifth_and_not_always_the_same() -> None:
    waits = [Backoff().next() for _ in range(200)]
    assert 0.4 <= min(waits) < 0.45
    assert 0.55 < max(waits) <= 0.6


def test_goes_on_for_ever() -> None:
    backoff = Backoff(jitter=0)
    assert max(backoff.next() for _ in range(5000)) == 30
