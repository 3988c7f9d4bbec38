"""The names of what the catalog keeps."""

from typing import NamedTuple

from libs.errors import NotFound
from libs.names import pattern

PERSONA = pattern("personas/{persona}")
LIBRARY_STATS = pattern("personas/{persona}/libraryStats")
PILLAR = pattern("personas/{persona}/pillars/{pillar}")
PHOTO = pattern("personas/{persona}/photos/{photo}")
GAP_REPORT = pattern("personas/{persona}/gapReports/{gap_report}")
SUGGESTION_BATCH = pattern("personas/{persona}/suggestionBatches/{suggestion_batch}")
SUGGESTION = pattern("personas/{persona}/suggestions/{suggestion}")
CAMPAIGN = pattern("personas/{persona}/campaigns/{campaign}")
PILLAR_TEMPLATE = pattern("pillarTemplates/{pillar_template}")
RUN = pattern("personas/{persona}/runs/{run}")


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


def suggestion_key(name: str, field: str = "name") -> Key:
    """The ids in a suggestion's name. Raises InvalidArgument on ``field``."""
    return Key(*SUGGESTION.parse(name, field))


def suggestion_batch_key(name: str, field: str = "name") -> Key:
    """The ids in a suggestion batch's name. Raises InvalidArgument on ``field``."""
    return Key(*SUGGESTION_BATCH.parse(name, field))


def run_key(name: str, field: str = "name") -> Key:
    """The ids in a run's name. Raises InvalidArgument on ``field``."""
    return Key(*RUN.parse(name, field))


def gap_report_key(name: str, field: str = "name") -> Key:
    """The ids in a gap report's name. Raises InvalidArgument on ``field``."""
    return Key(*GAP_REPORT.parse(name, field))


def campaign_key(name: str, field: str = "name") -> Key:
    """The ids in a campaign's name. Raises InvalidArgument on ``field``."""
    return Key(*CAMPAIGN.parse(name, field))


def template_id(name: str, field: str = "name") -> str:
    """The id in the name of a template of pillars. Raises InvalidArgument on ``field``."""
    (template,) = PILLAR_TEMPLATE.parse(name, field)
    return template


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


def no_suggestion(persona: str, suggestion: str) -> NotFound:
    """What to raise for an unknown suggestion."""
    return NotFound("suggestion", SUGGESTION.format(persona, suggestion))


def no_suggestion_batch(persona: str, batch: str) -> NotFound:
    """What to raise for an unknown suggestion batch."""
    return NotFound("suggestion batch", SUGGESTION_BATCH.format(persona, batch))
