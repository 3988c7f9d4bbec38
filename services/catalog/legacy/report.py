"""What a migration tells of itself, as JSON data."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.catalog.domain.names import PILLAR
from services.catalog.legacy.account import Entry, EntryState
from services.catalog.legacy.desk import PERSONAS, PHOTOS, PILLARS, POSTS, Desk
from services.catalog.legacy.library import LegacyLibrary
from services.catalog.legacy.rows import TABLES
from services.catalog.legacy.rules import decide_photo, decide_run
from services.catalog.legacy.sent import fate_of
from services.catalog.legacy.translation import Translation


def plan_of(library: LegacyLibrary, translation: Translation, now: datetime) -> dict[str, Any]:
    """What would become of everything, before anything is done. Names may yet get a number."""
    names = {id: PILLAR.format(p.persona, p.id) for id, p in translation.pillars.items()}
    return {
        "personas": {id: persona.name for id, persona in translation.personas.items()},
        "pillars": names,
        "photos": [
            {
                "photo": photo.id,
                "path": photo.path,
                "rule": decision.rule,
                "pillar": names.get(decision.pillar, ""),
                "doubts": list(decision.doubts),
                "error": decision.error,
            }
            for photo in library.photos
            for decision in [decide_photo(photo, library, now)]
        ],
        "runs": [
            {
                "run": run.id,
                "rule": decision.rule,
                "pillar": names.get(decision.pillar, ""),
                "doubts": list(decision.doubts),
                "error": decision.error,
            }
            for run in library.runs
            for decision in [decide_run(run, library)]
        ],
        "posts": [
            {"post": post.id, "photo": post.photo, "fate": fate_of(post, now)}
            for post in library.posts
        ],
        "notes": [{"kind": kind, "id": id, "text": text} for kind, id, text in translation.notes],
    }


async def progress_of(desk: Desk) -> dict[str, Any]:
    """Where a migration stands, and what became of each photo."""
    entries = {kind: await desk.entries(kind) for kind in TABLES}
    pillars = _targets(entries[PILLARS])
    photos = [_photo(desk, entry, pillars) for entry in entries[PHOTOS].values()]
    return {
        "migration": desk.migration.id,
        "source": desk.migration.source,
        "state": desk.migration.state,
        "tables": {kind: _states(found) for kind, found in entries.items()},
        "personas": _targets(entries[PERSONAS]),
        "pillars": pillars,
        "photos": photos,
        "posts": [
            {
                "post": entry.id,
                "state": entry.outcome.state,
                "fate": entry.outcome.reason,
                "name": entry.outcome.target,
                "delivered": entry.delivered,
            }
            for entry in entries[POSTS].values()
        ],
        "notes": [
            {"kind": kind, "id": id, "text": text} for kind, id, text in desk.translation.notes
        ],
    }


def quarantine_of(progress: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The photos that wait for a person, of what ``progress_of`` told."""
    return [p for p in progress["photos"] if p["state"] == EntryState.QUARANTINED]


def _photo(desk: Desk, entry: Entry, pillars: Mapping[str, str]) -> dict[str, Any]:
    legacy = desk.library.photo_of[entry.id]
    decision, outcome = desk.decision(legacy, entry.assigned), entry.outcome
    return {
        "photo": entry.id,
        "path": legacy.path,
        "state": outcome.state,
        "rule": outcome.rule,
        "name": outcome.target,
        "pillar": entry.assigned or pillars.get(decision.pillar, ""),
        "doubts": list(decision.doubts),
        "reason": outcome.reason,
        "message": outcome.message,
    }


def _targets(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {id: e.outcome.target for id, e in entries.items() if e.outcome.target}


def _states(entries: Mapping[str, Entry]) -> dict[str, int]:
    return dict(sorted(Counter(str(e.outcome.state) for e in entries.values()).items()))
