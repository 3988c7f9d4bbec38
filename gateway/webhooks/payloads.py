"""Reading what others send: JSON objects of which nothing is certain."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from colonnade.clustering.v1.cluster_pb2 import Item

from libs.errors import InvalidArgument

_LONGEST_TITLE = 500
_LONGEST_URL = 2000
_LONGEST_VALUE = 1000


class Payload:
    """An object of a payload; ``where`` is its path, for telling what is wrong with it."""

    def __init__(self, value: Any, where: str = "") -> None:
        if not isinstance(value, dict):
            raise InvalidArgument.of(where or "body", "must be a JSON object")
        self._value: Mapping[str, Any] = value
        self._where = where

    @classmethod
    def of_body(cls, body: bytes) -> "Payload":
        """Of a request's body. Raises InvalidArgument."""
        try:
            return cls(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise InvalidArgument.of("body", f"is no JSON: {error}") from None

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    @property
    def names(self) -> Sequence[str]:
        """The names of its fields."""
        return list(self._value)

    def path(self, name: str) -> str:
        """The path of one of its fields."""
        return f"{self._where}.{name}" if self._where else name

    def inner(self, name: str) -> "Payload":
        """The object at ``name``. Raises InvalidArgument if there is none."""
        return Payload(self._value.get(name), self.path(name))

    def list(self, name: str) -> "Sequence[Payload]":
        """The objects of the list at ``name``, none where it is missing. Raises InvalidArgument."""
        values = self._value.get(name) or []
        if not isinstance(values, list):
            raise InvalidArgument.of(self.path(name), "must be a list")
        return [Payload(value, f"{self.path(name)}[{n}]") for n, value in enumerate(values)]

    def text(self, name: str) -> str:
        """The text at ``name``, or a number as a text; empty where it is missing or null.

        Raises InvalidArgument.
        """
        value = self._value.get(name)
        match value:
            case None:
                return ""
            case str():
                return value
            case bool():
                return "true" if value else "false"
            case int() | float():
                return str(value)
        raise InvalidArgument.of(self.path(name), "must be a text")

    def required(self, name: str) -> str:
        """The text at ``name``. Raises InvalidArgument if it is missing or empty."""
        found = self.text(name)
        if not found:
            raise InvalidArgument.of(self.path(name), "is missing")
        return found

    def part(self, name: str) -> "Payload":
        """The object at ``name``, one without fields where there is none."""
        value = self._value.get(name)
        return Payload(value if isinstance(value, dict) else {}, self.path(name))

    def parts(self, name: str) -> "Sequence[Payload]":
        """The objects of the list at ``name``; what is something else is left out."""
        values = self._value.get(name)
        listed = values if isinstance(values, list) else []
        return [Payload(value, self.path(name)) for value in listed if isinstance(value, dict)]

    def told(self, name: str) -> str:
        """The text at ``name``, or a number as a text; empty where it is something else."""
        value = self._value.get(name)
        return self.text(name) if isinstance(value, str | int | float) else ""

    def told_time(self, name: str) -> datetime | None:
        """The moment at ``name``; None where there is none that can be read."""
        try:
            return self.time(name)
        except InvalidArgument:
            return None

    def flag(self, name: str) -> bool | None:
        """Whether, or None where it is missing. Raises InvalidArgument."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidArgument.of(self.path(name), "must be true or false")
        return value

    def time(self, name: str) -> datetime | None:
        """The moment at ``name`` in UTC: a text of ISO 8601 or seconds since 1970. Raises
        InvalidArgument."""
        value = self._value.get(name)
        try:
            match value:
                case None | "":
                    return None
                case str():
                    moment = datetime.fromisoformat(value)
                    # In UTC it may be in a year that there is not.
                    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
                case bool():
                    pass
                case int() | float():
                    return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            pass
        raise InvalidArgument.of(self.path(name), f"must be a time, not {value!r}")


def make_item(
    *,
    source: str,
    external_id: str,
    title: str,
    body: str,
    url: str = "",
    repository: str = "",
    metadata: Mapping[str, str] | None = None,
    source_time: datetime | None = None,
    closed: bool | None = None,
) -> Item:
    """An item; what is longer than an item takes is cut and U+0000 left out, so that no sender is
    refused for it."""
    item = Item(
        source=source,
        external_id=_clean(external_id),
        title=_clean(title)[:_LONGEST_TITLE],
        body=_clean(body),
        url=_clean(url) if len(url) <= _LONGEST_URL else "",
        repository=_clean(repository),
        metadata={
            _clean(name): _clean(value)[:_LONGEST_VALUE]
            for name, value in (metadata or {}).items()
            if value
        },
    )
    if source_time is not None:
        item.source_time.FromDatetime(source_time)
    if closed is not None:
        item.closed = closed
    return item


def _clean(text: str) -> str:
    """Without the character that no database keeps."""
    return text.replace("\0", "")
