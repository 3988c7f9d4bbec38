"""What there is in an older library, and what of it needs a look. Reads only."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from services.catalog.legacy.library import LegacyLibrary
from services.catalog.legacy.rules import Decision, decide_photo, decide_run
from services.catalog.legacy.sent import fate_of
from services.catalog.legacy.shape import Fit

Decisions = Mapping[str, Decision]


def audit(library: LegacyLibrary, fit: Fit, label: str, now: datetime) -> dict[str, Any]:
    """The whole report, as JSON data."""
    photos = {photo.id: decide_photo(photo, library, now) for photo in library.photos}
    runs = {run.id: decide_run(run, library) for run in library.runs}
    return {
        "source": label,
        "shape": asdict(fit),
        "counts": counts(library),
        "checksum": checksum((photo.id, photo.path) for photo in library.photos),
        "personas": _personas(library, now),
        "clusters": _clusters(library),
        "photos": {
            "orphans": _ids(p.id for p in library.photos if not p.cluster),
            "dangling_cluster": _ids(
                p.id for p in library.photos if p.cluster and p.cluster not in library.cluster_of
            ),
            "dangling_persona": _ids(
                p.id for p in library.photos if p.persona not in library.persona_of
            ),
            "without_path": _ids(p.id for p in library.photos if not p.path),
            "same_path": _shared((p.path, p.id) for p in library.photos if p.path),
            "rules": _rules(photos),
            "doubts": _doubts(photos),
            "quarantine": _quarantine(photos),
        },
        "runs": {
            "without_cluster": sum(not run.cluster for run in library.runs),
            "rules": _rules(runs),
            "doubts": _doubts(runs),
            "quarantine": _quarantine(runs),
        },
        "posts": {
            "fates": dict(sorted(Counter(fate_of(post, now) for post in library.posts).items())),
            "dangling_photo": _ids(p.id for p in library.posts if p.photo not in library.photo_of),
        },
    }


def counts(library: LegacyLibrary) -> dict[str, int]:
    """The rows of each kind."""
    return {
        "personas": len(library.personas),
        "pillars": len(library.pillars),
        "clusters": len(library.clusters),
        "assignments": len(library.assignments),
        "photos": len(library.photos),
        "runs": len(library.runs),
        "posts": len(library.posts),
    }


def checksum(photos: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the (id, path) of photos, in the order of their ids."""
    digest = hashlib.sha256()
    for id, path in sorted(photos):
        digest.update(f"{id}\t{path}\n".encode())
    return digest.hexdigest()


def _personas(library: LegacyLibrary, now: datetime) -> dict[str, Any]:
    in_use = {p.persona for p in library.pillars if p.counts(now)}
    return {
        "archived": _ids(p.id for p in library.personas if p.archived),
        "without_active_pillar": _ids(p.id for p in library.personas if p.id not in in_use),
        "pillars_of_nobody": _ids(
            p.id for p in library.pillars if p.persona not in library.persona_of
        ),
    }


def _clusters(library: LegacyLibrary) -> dict[str, Any]:
    assigned = {c.id: library.assignments_of.get(c.id, []) for c in library.clusters}
    return {
        "without_pillar": _ids(id for id, found in assigned.items() if not found),
        "with_several_pillars": _ids(id for id, found in assigned.items() if len(found) > 1),
        "with_several_primaries": _ids(
            id for id, found in assigned.items() if sum(a.primary for a in found) > 1
        ),
        "dangling_assignments": _ids(
            a.id
            for a in library.assignments
            if a.cluster not in library.cluster_of or a.pillar not in library.pillar_of
        ),
    }


def _rules(decisions: Decisions) -> dict[str, int]:
    return dict(sorted(Counter(str(decision.rule) for decision in decisions.values()).items()))


def _doubts(decisions: Decisions) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id, decision in decisions.items():
        for doubt in decision.doubts:
            found.setdefault(str(doubt), []).append(id)
    return {doubt: _ids(ids) for doubt, ids in sorted(found.items())}


def _quarantine(decisions: Decisions) -> dict[str, str]:
    return {id: decision.error for id, decision in decisions.items() if decision.error}


def _shared(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for key, id in pairs:
        found.setdefault(key, []).append(id)
    return sorted(_ids(ids) for ids in found.values() if len(ids) > 1)


def _ids(ids: Iterable[str]) -> list[str]:
    return sorted(ids, key=lambda id: (int(id) if id.isdigit() else 0, id))
