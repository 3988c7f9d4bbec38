"""Times as people type them: from now on, moments, what the clocks of a place show."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from libs.errors import InvalidArgument

_IN_ZONE: Final = re.compile(r"(.+)\[([A-Za-z0-9+_/-]{1,64})\]")
_LATER: Final = re.compile(r"\+([0-9]{1,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime, option: str = "at") -> datetime:
    """The time that ``now``, ``+2h`` or an ISO time means as ``typed``. Raises InvalidArgument."""
    if text == "now":
        return now
    if found := _LATER.fullmatch(text):
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    if (at := typed(text, option)) is not None:
        return at
    raise InvalidArgument.of(
        option,
        "is now, +90m, +2h, +3d or a time such as 2026-12-01T15:00+01:00 or "
        f"2026-12-01T15:00[Europe/Lisbon], not {text!r}",
    )


def span(text: str) -> timedelta:
    """The time that ``90m``, ``6h`` or ``2d`` means. Raises InvalidArgument."""
    found = _LATER.fullmatch(f"+{text}")
    if found is None:
        raise InvalidArgument.of("every", f"is 90m, 6h or 2d, not {text!r}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def typed(text: str, option: str) -> datetime | None:
    """The moment of an ISO time: with an offset, with a zone as in ``2026-12-01T15:00[Asia/Tokyo]``
    (RFC 9557), or else of this machine's clock; None if ``text`` is none.

    Raises InvalidArgument for an unknown zone, and where the clocks are changed for a time that
    never comes or comes twice: only whoever typed it knows what was meant.
    """
    found = _IN_ZONE.fullmatch(text)
    try:
        at = datetime.fromisoformat(found[1] if found else text)
    except ValueError:
        return None
    zone = _zone(found[2], option) if found else None
    if at.tzinfo is not None:
        # With both, the offset is the moment.
        return at
    place = zone.key if zone else "this machine's time zone"
    try:
        first, second = (_on_the_clock(at, zone, fold) for fold in (0, 1))
        shown = _shown(first, zone)
    except (OverflowError, ValueError):
        raise InvalidArgument.of(option, f"{at.isoformat()} is beyond all calendars") from None
    if shown != at:
        raise InvalidArgument.of(
            option,
            f"{at:%Y-%m-%d %H:%M} never comes in {place}: the clocks are put forward over it",
        )
    if first != second:
        offsets = " or ".join(f"{at.isoformat()}{_offset(m, zone)}" for m in (first, second))
        raise InvalidArgument.of(
            option, f"{at:%Y-%m-%d %H:%M} comes twice in {place}; say which: {offsets}"
        )
    return first


def _zone(name: str, option: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidArgument.of(option, f"there is no time zone {name!r}") from None


def _on_the_clock(at: datetime, zone: ZoneInfo | None, fold: int) -> datetime:
    return at.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _shown(moment: datetime, zone: ZoneInfo | None) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(moment: datetime, zone: ZoneInfo | None) -> str:
    text = moment.astimezone(zone).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
