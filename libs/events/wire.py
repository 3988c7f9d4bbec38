"""How an event looks inside Redis."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from libs.events.stream import Event

Fields = Mapping[bytes, bytes]

_TEXTS = ("id", "type", "subject", "key", "time", "trace")


class Malformed(ValueError):
    """Not an event; no retry will make it one."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it stands in one entry of a stream. ``first_seen``: its first delivery."""

    stream: str
    entry: str
    event: Event
    first_seen: datetime

    def again(self, more: int) -> "Delivery":
        """The same, delivered ``more`` times before."""
        return replace(self, event=replace(self.event, attempt=self.event.attempt + more))


def to_fields(event: Event) -> dict[str, str | bytes]:
    """The fields of a stream entry."""
    return {
        "id": event.id,
        "type": event.type,
        "subject": event.subject,
        "key": event.ordering_key,
        "time": event.time.isoformat(),
        "trace": event.trace,
        "payload": event.payload,
    }


def from_fields(fields: Fields) -> Event:
    """The event in a stream entry. Raises Malformed."""
    try:
        texts = {name: fields[name.encode()].decode() for name in _TEXTS}
        return _event(texts, fields[b"payload"])
    except (KeyError, ValueError) as error:
        raise Malformed(f"not an event: {error!r}") from error


def to_envelope(delivery: Delivery) -> bytes:
    """A delivery that is to be repeated, as one value."""
    fields = to_fields(delivery.event)
    fields["payload"] = base64.b64encode(delivery.event.payload).decode()
    extra = {"attempt": delivery.event.attempt, "first_seen": delivery.first_seen.isoformat()}
    return orjson.dumps({**fields, **extra})


def from_entry(stream: str, entry: str, fields: Fields) -> Delivery:
    """The delivery in a stream entry, whether its first or a repeated one. Raises Malformed."""
    envelope = fields.get(b"envelope")
    if envelope is None:
        return Delivery(stream, entry, from_fields(fields), datetime.now(UTC))
    try:
        value = orjson.loads(envelope)
        event = _event(value, base64.b64decode(value["payload"], validate=True))
        seen = datetime.fromisoformat(value["first_seen"])
        return Delivery(stream, entry, event, seen).again(int(value["attempt"]))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Malformed(f"not a delayed event: {error!r}") from error


def _event(texts: Mapping[str, str], payload: bytes) -> Event:
    return Event(
        id=texts["id"],
        type=texts["type"],
        subject=texts["subject"],
        ordering_key=texts["key"],
        payload=payload,
        time=datetime.fromisoformat(texts["time"]),
        trace=texts["trace"],
    )
