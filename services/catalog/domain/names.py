"""The names of what the catalog keeps."""

from typing import NamedTuple

from libs.errors import NotFound
from libs.names import pattern

PERSONA = pattern("personas/{persona}")
LIBRARY_STATS = pattern("personas/{persona}/libraryStats")
PILLAR = pattern("personas/{persona}/pillars/{pillar}")
PHOTO = pattern("personas/{persona}/photos/{photo}")
GAP_REPORT = pattern("personas/{persona}/gapReports/{gap_report}")


class Key(NamedTuple):
    """What belongs to a persona: the persona's id and its own."""

    persona: str
    id: str


def persona_id(name: str, field: str = "name") -> str:
    """The id in a persona's name. Raises InvalidArgument on ``field``."""
    (persona,) = PERSONA.parse(name, field)
    return persona


def pillar_key(name: str, field: str = "name") -> Key:
    """The ids in a pillar's name. Raises InvalidArgument on ``field``."""
    return Key(*PILLAR.parse(name, field))


def photo_key(name: str, field: str = "name") -> Key:
    """The ids in a photo's name. Raises InvalidArgument on ``field``."""
    return Key(*PHOTO.parse(name, field))


def pillar_of(persona: str, name: str, field: str) -> str:
    """The id of a pillar that must be one of ``persona``; somebody else's counts as unknown."""
    owner, pillar = pillar_key(name, field)
    if owner != persona:
        raise NotFound("pillar", name)
    return pillar


def no_persona(persona: str) -> NotFound:
    """What to raise for an unknown persona."""
    return NotFound("persona", PERSONA.format(persona))


def no_pillar(persona: str, pillar: str) -> NotFound:
    """What to raise for an unknown pillar."""
    return NotFound("pillar", PILLAR.format(persona, pillar))


def no_photo(persona: str, photo: str) -> NotFound:
    """What to raise for an unknown photo."""
    return NotFound("photo", PHOTO.format(persona, photo))
