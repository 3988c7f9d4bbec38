"""The filter and order of lists: a small part of AIP-160 and AIP-132."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from libs.errors import InvalidArgument

Kind = Literal["text", "prefix", "time"]
_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_][\w.]*)|(?P<op><=|>=|!=|=|<|>|:)|(?P<bracket>[()])"
    r'|"(?P<text>(?:[^"\\]|\\.)*)")'
)
_Token = tuple[str, str]
_OPEN, _CLOSE = ("bracket", "("), ("bracket", ")")
_EQUALITY = ("=", "!=")
_ORDER = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Condition:
    """``field op value``; the value of a time field is a datetime with a zone.

    With the operator ``in`` the value is a tuple of texts: ``field`` equals one of them.
    """

    field: str
    op: str
    value: str | datetime | tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The value or values of a field of text."""
        return self.value if isinstance(self.value, tuple) else (str(self.value),)


def parse_filter(
    text: str, fields: Mapping[str, Kind], alternatives: Collection[str] = ()
) -> list[Condition]:
    """The conditions of ``text``, joined by AND. Raises InvalidArgument on ``filter``.

    Those of one field of ``alternatives`` may be joined by OR in brackets.
    """
    tokens = _tokens(text)
    conditions: list[Condition] = []
    while tokens:
        if conditions:
            _expect(tokens.pop(0), "AND")
        if tokens and tokens[0] == _OPEN:
            conditions.append(_any_of(tokens, fields, alternatives))
        else:
            conditions.append(_condition(tokens, fields))
    return conditions


def _any_of(
    tokens: list[_Token], fields: Mapping[str, Kind], alternatives: Collection[str]
) -> Condition:
    """What stands in brackets, as one condition."""
    del tokens[0]
    parts = [_condition(tokens, fields)]
    while tokens and tokens[0] != _CLOSE:
        _expect(tokens.pop(0), "OR")
        parts.append(_condition(tokens, fields))
    if not tokens:
        raise _bad("a bracket is opened and not closed")
    del tokens[0]
    field = parts[0].field
    if any(part.field != field or part.op != "=" for part in parts):
        raise _bad(f'brackets hold one field, each time with =, such as ({field} = "…" OR …)')
    if field not in alternatives:
        listed = f"only {', '.join(alternatives)} can be" if alternatives else "no field can be"
        raise _bad(f"{field} cannot stand in brackets; {listed} joined by OR")
    return Condition(field, "in", tuple(dict.fromkeys(str(part.value) for part in parts)))


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _bad(f"cannot read {text[position:].lstrip()[:20]!r} at character {position}")
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind]))
        position = match.end()
    return tokens


def _condition(tokens: list[_Token], fields: Mapping[str, Kind]) -> Condition:
    if len(tokens) < 3:
        raise _bad('a condition is field, operator, value, such as usage = "UNUSED"')
    (kind, name), (op_kind, op), (value_kind, value) = tokens[0], tokens[1], tokens[2]
    del tokens[:3]
    if kind != "word" or name not in fields:
        raise _bad(f"there is no field {name!r}; fields: {', '.join(fields)}")
    allowed = _ORDER if fields[name] == "time" else _EQUALITY
    if op_kind != "op" or op not in allowed:
        raise _bad(f"{name} knows the operators {' '.join(allowed)}, not {op!r}")
    if value_kind in ("op", "bracket"):
        raise _bad(f"{name} {op} needs a value")
    text = re.sub(r"\\(.)", r"\1", value) if value_kind == "text" else value
    return Condition(name, op, _time(name, text) if fields[name] == "time" else text)


def _time(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _bad(f"{name} needs a time with its zone, such as 2026-12-01T15:00:00Z, not {text!r}")
    return moment


def _expect(token: _Token, word: str) -> None:
    if token == ("word", "OR") and word == "AND":
        raise _bad('alternatives stand in brackets, such as (tag = "sea" OR tag = "sun")')
    if token != ("word", word):
        where = "in brackets " if word == "OR" else ""
        raise _bad(f"{where}conditions are joined by {word}, not {token[1]!r}")


def _bad(text: str) -> InvalidArgument:
    return InvalidArgument.of("filter", text)


def parse_order(text: str, fields: Sequence[str], default: str) -> tuple[str, bool]:
    """The field to sort by and whether descending. Raises InvalidArgument on ``order_by``."""
    words = (text.strip() or default).split()
    if len(words) > 2 or words[0] not in fields or words[1:] not in ([], ["desc"], ["asc"]):
        raise InvalidArgument.of(
            "order_by", f"is one of {', '.join(fields)}, with desc or nothing behind, not {text!r}"
        )
    return words[0], words[1:] == ["desc"]
