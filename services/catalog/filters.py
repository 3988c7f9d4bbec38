"""What the filters of the catalog's lists may say."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition, Kind, parse_filter, parse_order
from services.catalog.domain.names import pillar_key
from services.catalog.domain.persona import PersonaState
from services.catalog.domain.photo import EmbeddingState, FilingState, PhotoState, Usage
from services.catalog.domain.photo_import import ImportState, Outcome
from services.catalog.domain.pillar import PillarState

_PERSONA: Mapping[str, Kind] = {"state": "text", "display_name": "prefix"}
_PILLAR: Mapping[str, Kind] = {"state": "text"}
_PHOTO: Mapping[str, Kind] = {
    "pillar": "text",
    "tag": "text",
    "usage": "text",
    "state": "text",
    "filing.state": "text",
    "embedding.state": "text",
    "file_name": "prefix",
    "create_time": "time",
}
_PHOTO_IMPORT: Mapping[str, Kind] = {"state": "text", "source": "prefix"}
_PHOTO_IMPORT_ITEM: Mapping[str, Kind] = {"outcome": "text"}
_PHOTO_ALTERNATIVES = [field for field, kind in _PHOTO.items() if kind != "time"]
_PHOTO_STATES: Mapping[str, type[StrEnum]] = {
    "usage": Usage,
    "state": PhotoState,
    "filing.state": FilingState,
    "embedding.state": EmbeddingState,
}
_ANY_STATE = Condition("state", "=", "*")
_IN_USE = Condition("state", "=", PhotoState.ACTIVE)


def persona_conditions(text: str) -> list[Condition]:
    """Of ListPersonas. Raises InvalidArgument on ``filter``."""
    return _checked(parse_filter(text, _PERSONA), {"state": PersonaState})


def pillar_conditions(text: str) -> list[Condition]:
    """Of ListPillars. Raises InvalidArgument on ``filter``."""
    return _checked(parse_filter(text, _PILLAR), {"state": PillarState})


def photo_conditions(text: str, persona: str) -> list[Condition]:
    """Of ListPhotos; pillars are given by their ids. Raises InvalidArgument on ``filter``.

    Archived photos are left out where nothing is said of the state.
    """
    conditions = parse_filter(text, _PHOTO, _PHOTO_ALTERNATIVES)
    if not any(condition.field == "state" for condition in conditions):
        conditions.append(_IN_USE)
    conditions = [condition for condition in conditions if condition != _ANY_STATE]
    conditions = _checked(conditions, _PHOTO_STATES)
    return [_with_pillar_id(c, persona) if c.field == "pillar" else c for c in conditions]


def photo_order(text: str) -> tuple[str, bool]:
    """Of ListPhotos: the field, and whether descending. Raises InvalidArgument on ``order_by``."""
    order = parse_order(text, ("create_time", "quality"), "create_time desc")
    if order == ("quality", False):
        raise InvalidArgument.of(
            "order_by", "quality is sorted by with the best first: quality desc"
        )
    return order


def import_conditions(text: str) -> list[Condition]:
    """Of ListPhotoImports. Raises InvalidArgument on ``filter``."""
    return _checked(parse_filter(text, _PHOTO_IMPORT), {"state": ImportState})


def import_item_conditions(text: str) -> list[Condition]:
    """Of ListPhotoImportItems. Raises InvalidArgument on ``filter``."""
    return _checked(parse_filter(text, _PHOTO_IMPORT_ITEM), {"outcome": Outcome})


def _checked(conditions: list[Condition], states: Mapping[str, type[StrEnum]]) -> list[Condition]:
    for condition in conditions:
        values = states.get(condition.field)
        for text in condition.texts if values is not None else ():
            if text not in list(values or ()):
                allowed = ", ".join(values or ())
                raise InvalidArgument.of(
                    "filter", f"{condition.field} is one of {allowed}, not {text!r}"
                )
    return conditions


def _with_pillar_id(condition: Condition, persona: str) -> Condition:
    ids = tuple(_pillar_id(name, persona) for name in condition.texts)
    return replace(condition, value=ids if condition.op == "in" else ids[0])


def _pillar_id(name: str, persona: str) -> str:
    owner, pillar = pillar_key(name, "filter")
    if owner != persona:
        raise InvalidArgument.of("filter", f"{name} is not a pillar of personas/{persona}")
    return pillar
