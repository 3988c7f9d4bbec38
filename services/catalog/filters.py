"""What the filters of the catalog's lists may say."""

from collections.abc import Mapping
from dataclasses import replace

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition, Kind, parse_filter
from services.catalog.domain.names import pillar_key
from services.catalog.domain.persona import PersonaState
from services.catalog.domain.photo import EmbeddingState, Usage
from services.catalog.domain.pillar import PillarState

_PERSONA: Mapping[str, Kind] = {"state": "text", "display_name": "prefix"}
_PILLAR: Mapping[str, Kind] = {"state": "text"}
_PHOTO: Mapping[str, Kind] = {
    "pillar": "text",
    "tag": "text",
    "usage": "text",
    "embedding.state": "text",
    "file_name": "prefix",
    "create_time": "time",
}

States = type[PersonaState] | type[PillarState] | type[Usage] | type[EmbeddingState]


def persona_conditions(text: str) -> list[Condition]:
    """Of ListPersonas. Raises InvalidArgument on ``filter``."""
    return _checked(parse_filter(text, _PERSONA), {"state": PersonaState})


def pillar_conditions(text: str) -> list[Condition]:
    """Of ListPillars. Raises InvalidArgument on ``filter``."""
    return _checked(parse_filter(text, _PILLAR), {"state": PillarState})


def photo_conditions(text: str, persona: str) -> list[Condition]:
    """Of ListPhotos; pillars are given by their ids. Raises InvalidArgument on ``filter``."""
    states: dict[str, States] = {"usage": Usage, "embedding.state": EmbeddingState}
    conditions = _checked(parse_filter(text, _PHOTO), states)
    return [_with_pillar_id(c, persona) if c.field == "pillar" else c for c in conditions]


def _checked(conditions: list[Condition], states: Mapping[str, States]) -> list[Condition]:
    for condition in conditions:
        values = states.get(condition.field)
        if values is not None and condition.value not in list(values):
            allowed = ", ".join(values)
            raise InvalidArgument.of(
                "filter", f"{condition.field} is one of {allowed}, not {condition.value!r}"
            )
    return conditions


def _with_pillar_id(condition: Condition, persona: str) -> Condition:
    owner, pillar = pillar_key(str(condition.value), "filter")
    if owner != persona:
        raise InvalidArgument.of(
            "filter", f"{condition.value} is not a pillar of personas/{persona}"
        )
    return replace(condition, value=pillar)
