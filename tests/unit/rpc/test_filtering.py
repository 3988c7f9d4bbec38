"""Filters and orders of lists."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition, parse_filter, parse_order

FIELDS = {"usage": "text", "embedding.state": "text", "create_time": "time"}


def test_reads_conditions() -> None:
    text = (
        'usage = "UN\\"USED" AND embedding.state!=READY AND create_time >= "2026-01-01T00:00:00Z"'
    )
    assert parse_filter(text, FIELDS) == [  # type: ignore[arg-type]
        Condition("usage", "=", 'UN"USED'),
        Condition("embedding.state", "!=", "READY"),
        Condition("create_time", ">=", datetime(2026, 1, 1, tzinfo=UTC)),
    ]


def test_an_empty_filter_has_no_conditions() -> None:
    assert parse_filter("  ", FIELDS) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('colour = "red"', "there is no field 'colour'; fields: usage, embedding.state"),
        ('usage > "A"', "usage knows the operators = !=, not '>'"),
        ('usage = "A" usage = "B"', "conditions are joined by AND, not 'usage'"),
        ('usage = "A" AND', "a condition is field, operator, value"),
        ('create_time > "yesterday"', "create_time needs a time with its zone"),
        ('create_time > "2026-01-01T00:00:00"', "create_time needs a time with its zone"),
        ("usage = 'A'", "cannot read \"'A'\" at character"),
        ("usage = =", "usage = needs a value"),
    ],
)
def test_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        parse_filter(text, FIELDS)  # type: ignore[arg-type]
    assert raised.value.violations[0].field == "filter"
    assert message in raised.value.message


@given(st.text(max_size=60))
def test_never_fails_in_another_way(text: str) -> None:
    try:
        parse_filter(text, FIELDS)  # type: ignore[arg-type]
    except InvalidArgument as error:
        assert error.violations[0].field == "filter"


def test_alternatives_of_one_field_stand_in_brackets() -> None:
    text = '(usage = A OR usage = "B C" OR usage = A) AND embedding.state = READY'
    conditions = parse_filter(text, FIELDS, ("usage",))  # type: ignore[arg-type]
    assert conditions == [
        Condition("usage", "in", ("A", "B C")),
        Condition("embedding.state", "=", "READY"),
    ]
    assert [condition.texts for condition in conditions] == [("A", "B C"), ("READY",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('usage = "A" OR usage = "B"', 'alternatives stand in brackets, such as (tag = "sea"'),
        ("(usage = A OR embedding.state = B)", "brackets hold one field, each time with ="),
        ("(usage = A OR usage != B)", "brackets hold one field, each time with ="),
        ("(usage = A AND usage = B)", "in brackets conditions are joined by OR, not 'AND'"),
        ("(embedding.state = A)", "embedding.state cannot stand in brackets; only usage can be"),
        ("(usage = A", "a bracket is opened and not closed"),
        ("usage = A)", "conditions are joined by AND, not ')'"),
        ("()", "a condition is field, operator, value"),
        ("usage = (", "usage = needs a value"),
    ],
)
def test_says_what_is_wrong_with_alternatives(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        parse_filter(text, FIELDS, ("usage",))  # type: ignore[arg-type]
    assert raised.value.violations[0].field == "filter"
    assert message in raised.value.message


_PIECES = st.sampled_from(
    ["(", ")", "usage", "=", "!=", "A", '"B"', " AND ", " OR ", "create_time", "<", " ", "state"]
)


@given(st.lists(_PIECES, max_size=14).map("".join))
def test_any_pile_of_pieces_is_read_or_refused(text: str) -> None:
    try:
        parse_filter(text, FIELDS, ("usage",))  # type: ignore[arg-type]
    except InvalidArgument as error:
        assert error.violations[0].field == "filter"


def test_orders() -> None:
    assert parse_order("", ["create_time"], "create_time desc") == ("create_time", True)
    assert parse_order("create_time", ["create_time"], "create_time desc") == ("create_time", False)
    for text in ("name", "create_time up", "create_time desc, name", "create_time desc desc"):
        with pytest.raises(InvalidArgument, match="order_by"):
            parse_order(text, ["create_time"], "create_time desc")
