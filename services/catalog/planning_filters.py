"""What the filters of planning's lists may say."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition, Kind, parse_filter
from services.catalog.domain.names import (
    Key,
    campaign_key,
    pillar_key,
    suggestion_batch_key,
    suggestion_key,
)
from services.catalog.domain.run import RunState
from services.catalog.domain.suggestion import SuggestionState

_SUGGESTION: Mapping[str, Kind] = {
    "state": "text",
    "pillar": "text",
    "suggestion_batch": "text",
    "campaign": "text",
}
_RUN: Mapping[str, Kind] = {"state": "text", "pillar": "text", "suggestion": "text"}
_NONE = "none"

KeyOf = Callable[[str, str], Key]
_KEYS: Mapping[str, KeyOf] = {
    "pillar": pillar_key,
    "suggestion_batch": suggestion_batch_key,
    "campaign": campaign_key,
    "suggestion": suggestion_key,
}


def suggestion_conditions(text: str, persona: str) -> list[Condition]:
    """Of ListSuggestions; names are given by their ids. Raises InvalidArgument on ``filter``."""
    conditions = parse_filter(text, _SUGGESTION)
    return [_checked(condition, persona, SuggestionState) for condition in conditions]


def run_conditions(text: str, persona: str) -> list[Condition]:
    """Of ListRuns; no pillar is the empty text. Raises InvalidArgument on ``filter``."""
    conditions = parse_filter(text, _RUN)
    return [_checked(condition, persona, RunState) for condition in conditions]


def _checked(condition: Condition, persona: str, states: type[StrEnum]) -> Condition:
    value = str(condition.value)
    if condition.field == "state":
        if value not in list(states):
            allowed = ", ".join(states)
            raise InvalidArgument.of("filter", f"state is one of {allowed}, not {value!r}")
        return condition
    if states is RunState and (condition.field, value) == ("pillar", _NONE):
        return replace(condition, value="")
    owner, id = _KEYS[condition.field](value, "filter")
    if owner != persona:
        raise InvalidArgument.of("filter", f"{value} is not of personas/{persona}")
    return replace(condition, value=id)
