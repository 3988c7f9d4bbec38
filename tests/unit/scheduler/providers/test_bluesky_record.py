import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.providers.base import PublishRequest
from services.scheduler.providers.bluesky_record import created_at, facets, record_key, record_of

AT = datetime(2026, 12, 1, 15, 0, 0, 123_000, tzinfo=UTC)
TID = re.compile(r"[234567a-j][234567a-z]{12}")


def request(key: str = "a", at: datetime = AT, **fields: object) -> PublishRequest:
    return PublishRequest("Light", at, (), key=key, **fields)  # type: ignore[arg-type]


@given(
    st.text(max_size=40),
    st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
)
def test_the_key_is_one_that_servers_take(key: str, at: datetime) -> None:
    assert TID.fullmatch(record_key(request(key, at)))


def test_the_key_and_the_time_are_the_same_for_all_attempts() -> None:
    first = request()
    later = request(at=AT + timedelta(hours=2), earlier_due_at=(AT, AT + timedelta(minutes=5)))
    assert record_key(later) == record_key(first)
    assert created_at(later) == created_at(first) == "2026-12-01T15:00:00.123Z"
    assert record_of(later, []) == record_of(first, [])


def test_keys_of_one_moment_differ_and_keys_are_in_the_order_of_time() -> None:
    assert len({record_key(request(f"publication {n}")) for n in range(200)}) == 200
    keys = [record_key(request("a", AT + timedelta(milliseconds=n))) for n in range(50)]
    assert keys == sorted(keys)


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_a_facet_spans_is_what_it_names(before: str, after: str) -> None:
    text = f"{before} #light https://a.example/b {after}"
    raw = text.encode()
    for facet in facets(text):
        span = raw[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()
        [feature] = facet["features"]
        assert span in (feature.get("uri"), f"#{feature.get('tag')}")
    tags = [f["features"][0].get("tag") for f in facets(text)]
    assert "light" in tags


def test_numbers_are_no_hashtags_and_sentences_end_outside() -> None:
    found = [f["features"][0] for f in facets("#1 of #cats, see (https://a.example/x).")]
    assert [f.get("uri") or f.get("tag") for f in found] == ["https://a.example/x", "cats"]
