"""Times and enums of the contract."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidArgument

E = TypeVar("E", bound=StrEnum)


def moment(message: Any, field: str, path: str) -> datetime | None:
    """The time in ``message.field``; None if it is unset. Raises InvalidArgument on ``path``."""
    if not message.HasField(field):
        return None
    timestamp: Timestamp = getattr(message, field)
    try:
        return timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument.of(path, "must be a time of the years 1 to 9999") from None


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time for the wire."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def known(enum: Any, prefix: str, kind: type[E], value: int) -> E | None:
    """The domain's word for an enum value of the contract; None for the unspecified one."""
    return kind(enum.Name(value).removeprefix(prefix)) if value else None


def number(enum: Any, prefix: str, value: StrEnum | None) -> Any:
    """The contract's enum value for the domain's word; 0 for None."""
    return enum.Value(prefix + value) if value is not None else 0
