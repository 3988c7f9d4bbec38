"""The look at a migration before its account is dropped: is everything there, and as it was?"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from libs.errors import NotFound
from services.catalog.domain.names import photo_key
from services.catalog.domain.photo import Photo, Usage
from services.catalog.legacy.account import Entry, EntryState, Gate, digest_of
from services.catalog.legacy.audit import checksum, counts
from services.catalog.legacy.desk import CLUSTERS, PHOTOS, POSTS, RUNS, Desk, Progress
from services.catalog.legacy.library import LegacyPost
from services.catalog.legacy.rows import TABLES, Source
from services.catalog.legacy.rules import Rule
from services.catalog.legacy.sent import Fate

_OUT = (Fate.SENT, Fate.PRESUMED_SENT)
_LINKED = (Rule.PRIMARY_PILLAR, Rule.FIRST_PILLAR)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so, and what was found."""

    name: str
    expected: Any
    found: Any

    @property
    def passed(self) -> bool:
        """Whether it is so."""
        return bool(self.expected == self.found)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says. ``unresolved`` are the rows that wait for a person, by table."""

    checks: tuple[Check, ...]
    unresolved: Mapping[str, list[str]]

    @property
    def sound(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def passed(self) -> bool:
        """Whether the account may be dropped."""
        return self.sound and not self.unresolved

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON data."""
        checks = [{**asdict(check), "passed": check.passed} for check in self.checks]
        return {"passed": self.passed, "checks": checks, "unresolved": dict(self.unresolved)}


class GateKeeper:
    """Looks at everything and writes down what it saw."""

    def __init__(self, desk: Desk, progress: Progress) -> None:
        self._desk = desk
        self._progress = progress

    async def look(self, source: Source | None = None) -> Verdict:
        """The verdict, which is on record from now on. ``source``: read again, to compare."""
        entries = {kind: await self._desk.entries(kind) for kind in TABLES}
        photos = await self._photos(entries[PHOTOS])
        checks = (
            *self._as_it_was_read(source),
            *self._photo_checks(entries[PHOTOS], photos),
            *self._run_checks(entries[RUNS]),
            *self._post_checks(entries, photos),
            *self._cluster_checks(entries[CLUSTERS]),
        )
        unresolved = {
            kind: [entry.id for entry in found.values() if entry.open]
            for kind, found in entries.items()
        }
        verdict = Verdict(checks, {kind: ids for kind, ids in unresolved.items() if ids})
        gate = Gate(verdict.passed, verdict.as_dict())
        await self._desk.account.record_gate(self._desk.migration, gate)
        return verdict

    async def _photos(self, entries: Mapping[str, Entry]) -> dict[str, Photo]:
        """The photos that the rows became, by their names."""
        names = sorted({e.outcome.target for e in entries.values() if e.outcome.target})
        found: dict[str, Photo] = {}
        for done, name in enumerate(names, 1):
            async with self._desk.tools.catalog.reading() as catalog:
                try:
                    found[name] = await catalog.photos.get(photo_key(name))
                except NotFound:
                    continue
            self._progress(PHOTOS, done, len(names))
        return found

    def _as_it_was_read(self, source: Source | None) -> Iterator[Check]:
        migration, library = self._desk.migration, self._desk.library
        yield Check("rows that were read are staged", dict(migration.counts), counts(library))
        staged = checksum((photo.id, photo.path) for photo in library.photos)
        yield Check("(id, path) of staged photos", migration.checksum, staged)
        if source is not None:
            yield Check("the source is as it was read", migration.digest, digest_of(source))

    def _photo_checks(
        self, entries: Mapping[str, Entry], photos: Mapping[str, Photo]
    ) -> Iterator[Check]:
        paths = self._desk.library.photo_of
        done = {id: e for id, e in entries.items() if e.outcome.state is EntryState.DONE}
        there = {
            id: photos[e.outcome.target] for id, e in done.items() if e.outcome.target in photos
        }
        states = Counter(entry.outcome.state for entry in entries.values())
        yield Check("photos are accounted for", len(paths), states.total())
        yield Check("photos that were migrated are in the library", _ids(done), _ids(there))
        made = {id: photo for id, photo in there.items() if done[id].outcome.made}
        expected = checksum((id, paths[id].path) for id in made if id in paths)
        found = checksum((id, photo.source_path) for id, photo in made.items())
        yield Check("(id, path) of migrated photos", expected, found)
        bare = [id for id, photo in there.items() if not photo.pillar]
        yield Check("migrated photos without a pillar", [], bare)

    def _run_checks(self, entries: Mapping[str, Entry]) -> Iterator[Check]:
        linked = sum(e.outcome.rule in _LINKED for e in entries.values() if not e.open)
        without = sum(e.outcome.rule == Rule.NO_PILLAR for e in entries.values() if not e.open)
        rest = sum(e.open or e.outcome.state is EntryState.GIVEN_UP for e in entries.values())
        before = len(self._desk.library.runs)
        yield Check("runs: linked + without a pillar + left", before, linked + without + rest)

    def _post_checks(
        self, entries: Mapping[str, Mapping[str, Entry]], photos: Mapping[str, Photo]
    ) -> Iterator[Check]:
        kept = {id: e for id, e in entries[POSTS].items() if e.outcome.state is EntryState.DONE}
        photo_of = {post.id: entries[PHOTOS][post.photo] for post in self._posts_with_photos()}
        used = {id: photos.get(photo_of[id].outcome.target) for id in kept}
        free = [id for id, photo in used.items() if photo and photo.usage is Usage.UNUSED]
        yield Check("sent posts whose photo is offered again", [], free)
        waiting = [id for id, e in kept.items() if not e.delivered and e.outcome.reason in _OUT]
        yield Check("sent posts that the scheduler does not know", [], waiting)

    def _cluster_checks(self, entries: Mapping[str, Entry]) -> Iterator[Check]:
        done = (entry for entry in entries.values() if entry.outcome.state is EntryState.DONE)
        waiting = [entry.id for entry in done if not entry.delivered]
        yield Check("clusters that the clustering service has not in full", [], waiting)

    def _posts_with_photos(self) -> Iterator[LegacyPost]:
        library = self._desk.library
        return (post for post in library.posts if post.photo in library.photo_of)


def _ids(ids: Iterable[str]) -> list[str]:
    return sorted(ids)
