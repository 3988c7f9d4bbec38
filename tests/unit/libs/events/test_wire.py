from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.stream import Event
from libs.events.wire import Delivery, Malformed, from_entry, from_fields, to_envelope, to_fields

NOW = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
EVENTS = st.builds(
    Event,
    id=TEXT,
    type=TEXT,
    subject=TEXT,
    ordering_key=TEXT,
    payload=st.binary(),
    time=st.datetimes(timezones=st.just(UTC)),
    trace=TEXT,
)


def raw(fields: dict[str, str | bytes]) -> dict[bytes, bytes]:
    return {
        name.encode(): value.encode() if isinstance(value, str) else value
        for name, value in fields.items()
    }


@given(EVENTS)
def test_fields_keep_everything(event: Event) -> None:
    assert from_fields(raw(to_fields(event))) == event


@given(EVENTS, st.integers(0, 9))
def test_envelopes_keep_everything_and_count(event: Event, before: int) -> None:
    delivery = Delivery("stream", "1-0", event, NOW).again(before)
    back = from_entry("retries", "2-0", {b"envelope": to_envelope(delivery)})
    assert back.event == delivery.again(1).event
    assert (back.stream, back.entry, back.first_seen) == ("retries", "2-0", NOW)


@pytest.mark.parametrize("missing", ["id", "type", "subject", "key", "time", "trace", "payload"])
def test_missing_fields_are_malformed(missing: str) -> None:
    fields = raw(to_fields(Event("i", "t", "s", "k", b"", NOW)))
    del fields[missing.encode()]
    with pytest.raises(Malformed, match=missing):
        from_fields(fields)


@pytest.mark.parametrize(
    ("name", "value"), [(b"time", b"yesterday"), (b"subject", b"\xff"), (b"envelope", b"{")]
)
def test_broken_fields_are_malformed(name: bytes, value: bytes) -> None:
    fields = raw(to_fields(Event("i", "t", "s", "k", b"", NOW)))
    with pytest.raises(Malformed):
        from_entry("stream", "1-0", {**fields, name: value})


@pytest.mark.parametrize("envelope", [b"", b"[]", b"{}", b'"x"', b"\xff", b'{"payload": "*"}'])
def test_broken_envelopes_are_malformed(envelope: bytes) -> None:
    with pytest.raises(Malformed):
        from_entry("stream", "1-0", {b"envelope": envelope})
