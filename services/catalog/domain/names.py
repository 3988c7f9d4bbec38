"""The names of what the catalog keeps."""

from typing import NamedTuple
from uuid import UUID

from libs.errors import InvalidArgument, NotFound
from libs.names import NamePattern, is_user_id, pattern

PERSONA = pattern("personas/{persona}")
LIBRARY_STATS = pattern("personas/{persona}/libraryStats")
PILLAR = pattern("personas/{persona}/pillars/{pillar}")
PHOTO = pattern("personas/{persona}/photos/{photo}")
QUARANTINED_PHOTO = pattern("quarantinedPhotos/{quarantined_photo}")
GAP_REPORT = pattern("personas/{persona}/gapReports/{gap_report}")
SUGGESTION_BATCH = pattern("personas/{persona}/suggestionBatches/{suggestion_batch}")
SUGGESTION = pattern("personas/{persona}/suggestions/{suggestion}")
CAMPAIGN = pattern("personas/{persona}/campaigns/{campaign}")
PILLAR_TEMPLATE = pattern("pillarTemplates/{pillar_template}")
RUN = pattern("personas/{persona}/runs/{run}")
CANDIDATE = pattern("personas/{persona}/runs/{run}/candidates/{candidate}")
VOTE = pattern("personas/{persona}/runs/{run}/votes/{vote}")
POST = pattern("personas/{persona}/posts/{post}")
PHOTO_IMPORT = pattern("personas/{persona}/photoImports/{photo_import}")


class Key(NamedTuple):
    """What belongs to a persona: the persona's id and its own."""

    persona: str
    id: str


class CandidateKey(NamedTuple):
    """A candidate: the ids of its persona, of its run, and its own."""

    persona: str
    run: str
    id: str

    @property
    def run_key(self) -> Key:
        """The ids of its run."""
        return Key(self.persona, self.run)


def _uuid_key(kind: NamePattern, name: str, field: str) -> Key:
    """The ids in a name whose last id is a UUID. Raises InvalidArgument on ``field``."""
    key = Key(*kind.parse(name, field))
    _check_user_id(key.persona, field)
    _check_uuid(key.id, field)
    return key


def _check_uuid(id: str, field: str) -> None:
    try:
        if str(UUID(id)) == id:
            return
    except ValueError:
        pass
    raise InvalidArgument.of(field, f"must end in a UUID in lower case, not in {id!r}")


def _check_user_id(id: str, field: str) -> None:
    # The contract checks names too, but not those inside of resources.
    if not is_user_id(id):
        raise InvalidArgument.of(
            field, f"has lower-case letters, digits and hyphens in its ids, unlike {id!r}"
        )


def persona_id(name: str, field: str = "name") -> str:
    """The id in a persona's name. Raises InvalidArgument on ``field``."""
    (persona,) = PERSONA.parse(name, field)
    _check_user_id(persona, field)
    return persona


def pillar_key(name: str, field: str = "name") -> Key:
    """The ids in a pillar's name. Raises InvalidArgument on ``field``."""
    key = Key(*PILLAR.parse(name, field))
    _check_user_id(key.persona, field)
    _check_user_id(key.id, field)
    return key


def photo_key(name: str, field: str = "name") -> Key:
    """The ids in a photo's name. Raises InvalidArgument on ``field``."""
    return _uuid_key(PHOTO, name, field)


def suggestion_key(name: str, field: str = "name") -> Key:
    """The ids in a suggestion's name. Raises InvalidArgument on ``field``."""
    return _uuid_key(SUGGESTION, name, field)


def suggestion_batch_key(name: str, field: str = "name") -> Key:
    """The ids in a suggestion batch's name. Raises InvalidArgument on ``field``."""
    return _uuid_key(SUGGESTION_BATCH, name, field)


def run_key(name: str, field: str = "name") -> Key:
    """The ids in a run's name. Raises InvalidArgument on ``field``."""
    return _uuid_key(RUN, name, field)


def candidate_key(name: str, field: str = "name") -> CandidateKey:
    """The ids in a candidate's name. Raises InvalidArgument on ``field``."""
    key = CandidateKey(*CANDIDATE.parse(name, field))
    _check_user_id(key.persona, field)
    _check_uuid(key.run, field)
    _check_uuid(key.id, field)
    return key


def lineage_key(name: str, field: str = "name") -> tuple[str, Key]:
    """The collection (runs, photos or posts) and the ids in a name. Raises InvalidArgument."""
    kinds = {"runs": RUN, "photos": PHOTO, "posts": POST}
    kind = name.split("/")[2] if name.count("/") == 3 else ""
    return kind, _uuid_key(kinds.get(kind, RUN), name, field)


def vote_id(name: str) -> str:
    """The id of a vote, in its name."""
    return VOTE.parse(name, "name")[-1]


def gap_report_key(name: str, field: str = "name") -> Key:
    """The ids in a gap report's name. Raises InvalidArgument on ``field``."""
    return _uuid_key(GAP_REPORT, name, field)


def campaign_key(name: str, field: str = "name") -> Key:
    """The ids in a campaign's name. Raises InvalidArgument on ``field``."""
    return _uuid_key(CAMPAIGN, name, field)


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


def photo_import_key(name: str, field: str = "name") -> Key:
    """The ids in an import's name. Raises InvalidArgument on ``field``."""
    return _uuid_key(PHOTO_IMPORT, name, field)


def photo_import_of(persona: str, name: str, field: str) -> str:
    """The id of an import that must be one of ``persona``; somebody else's counts as unknown."""
    owner, photo_import = photo_import_key(name, field)
    if owner != persona:
        raise NotFound("photo import", name)
    return photo_import


def no_persona(persona: str) -> NotFound:
    """What to raise for an unknown persona."""
    return NotFound("persona", PERSONA.format(persona))


def no_pillar(persona: str, pillar: str) -> NotFound:
    """What to raise for an unknown pillar."""
    return NotFound("pillar", PILLAR.format(persona, pillar))


def no_photo_import(persona: str, photo_import: str) -> NotFound:
    """What to raise for an unknown import."""
    return NotFound("photo import", PHOTO_IMPORT.format(persona, photo_import))


def no_photo(persona: str, photo: str) -> NotFound:
    """What to raise for an unknown photo."""
    return NotFound("photo", PHOTO.format(persona, photo))


def no_suggestion(persona: str, suggestion: str) -> NotFound:
    """What to raise for an unknown suggestion."""
    return NotFound("suggestion", SUGGESTION.format(persona, suggestion))


def no_suggestion_batch(persona: str, batch: str) -> NotFound:
    """What to raise for an unknown suggestion batch."""
    return NotFound("suggestion batch", SUGGESTION_BATCH.format(persona, batch))


def no_run(persona: str, run: str) -> NotFound:
    """What to raise for an unknown run."""
    return NotFound("run", RUN.format(persona, run))


def no_candidate(persona: str, run: str, candidate: str) -> NotFound:
    """What to raise for an unknown candidate."""
    return NotFound("candidate", CANDIDATE.format(persona, run, candidate))
