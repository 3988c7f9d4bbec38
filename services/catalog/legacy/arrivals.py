"""Takes the photos in, through the same door as uploads."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import PurePosixPath

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import (
    ColonnadeError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfQuota,
)
from services.catalog.domain.names import Key, pillar_key
from services.catalog.domain.photo import PostUse
from services.catalog.legacy.account import Entry, EntryState, Outcome
from services.catalog.legacy.desk import PHOTOS, PILLARS, Desk, Progress
from services.catalog.legacy.library import LegacyPhoto
from services.catalog.legacy.making import Arrival, MakingCatalog
from services.catalog.legacy.media import Media, NoFile
from services.catalog.legacy.rules import Decision, Rule
from services.catalog.legacy.sent import use_of
from services.catalog.usecases.uploads import Received, Upload, UploadCases

_AT_A_TIME = 4
_MAX_ALT_TEXT = 1500
_MAX_CAPTION = 2200


class TakeIn:
    """Imports every photo that is not there yet; what cannot be imported goes into quarantine."""

    def __init__(self, desk: Desk, media: Media, progress: Progress) -> None:
        self._desk = desk
        self._media = media
        self._progress = progress
        self._pillars: dict[str, str] = {}
        self._done = self._total = 0

    async def run(self) -> None:
        """All of them, a few at a time. Raises Unavailable when the catalog goes away."""
        self._pillars = await self._desk.targets(PILLARS)
        entries = await self._desk.entries(PHOTOS)
        self._total = len(entries)
        self._done = sum(not entry.open for entry in entries.values())
        firsts = set({p.path: p.id for p in reversed(self._desk.library.photos)}.values())
        waiting = [e for p in self._desk.library.photos if (e := entries[p.id]).open]
        # The oldest row of a file decides where it goes; its repeats find it there.
        await self._some([entry for entry in waiting if entry.id in firsts])
        await self._some([entry for entry in waiting if entry.id not in firsts])

    async def _some(self, entries: Iterable[Entry]) -> None:
        waiting = iter(entries)

        async def work() -> None:
            for entry in waiting:
                await self._one(entry)
                self._done += 1
                self._progress(PHOTOS, self._done, self._total)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_A_TIME):
                    group.create_task(work())
        except* ColonnadeError as errors:
            first = errors.exceptions[0]
        else:
            return
        raise first

    async def _one(self, entry: Entry) -> None:
        photo = self._desk.library.photo_of[entry.id]
        decision = self._desk.decision(photo, entry.assigned)
        if decision.error:
            return await self._quarantine(entry, decision, decision.error, _advice(decision.error))
        place = entry.assigned or self._pillars.get(decision.pillar, "")
        if not place:
            text = "its pillar could not be made"
            return await self._quarantine(entry, decision, "NO_PILLAR_MADE", text)
        try:
            received = await self._receive(entry, photo, decision, pillar_key(place))
        except NoFile as error:
            await self._quarantine(entry, decision, error.reason, str(error))
        except (InvalidArgument, OutOfQuota, FailedPrecondition, NotFound) as error:
            await self._quarantine(entry, decision, error.reason, error.message)
        else:
            if received.duplicate:
                await self._account_for_twin(entry, decision, received, place)
        return None

    async def _receive(
        self, entry: Entry, photo: LegacyPhoto, decision: Decision, place: Key
    ) -> Received:
        tools = self._desk.tools
        upload = Upload(
            persona=place.persona,
            pillar=place.id,
            file_name=PurePosixPath(photo.path).name,
            source_path=photo.path,
        )
        arrival = Arrival(
            caption=photo.caption[:_MAX_CAPTION],
            alt_text=photo.alt_text[:_MAX_ALT_TEXT],
            create_time=photo.create_time,
            uses=self._uses(photo, place.persona),
        )

        async def note(connection: AsyncConnection, name: str) -> None:
            outcome = Outcome(
                EntryState.DONE,
                target=name,
                made=True,
                rule=decision.rule,
                written={
                    "pillar": place.id,
                    "caption": arrival.caption,
                    "alt_text": arrival.alt_text,
                },
                message=_cut(photo),
            )
            migration = self._desk.migration.id
            await self._desk.account.note_in(connection, migration, PHOTOS, entry.id, outcome)

        catalog = MakingCatalog(tools.database, tools.clock, note, arrival)
        cases = UploadCases(catalog, tools.blobs, tools.pictures, tools.clock, tools.limits)
        return await cases.receive(upload, self._chunks(photo))

    async def _chunks(self, photo: LegacyPhoto) -> AsyncIterator[bytes]:
        async for chunk in self._media.read(photo.path):
            yield chunk

    def _uses(self, photo: LegacyPhoto, persona: str) -> list[tuple[str, PostUse]]:
        now = self._desk.migration.create_time
        posts = self._desk.library.posts_of.get(photo.id, [])
        uses = [(self._desk.post_name(persona, post), use_of(post, now)) for post in posts]
        return [(name, use) for name, use in uses if use is not None]

    async def _account_for_twin(
        self, entry: Entry, decision: Decision, received: Received, place: str
    ) -> None:
        """The persona has these bytes: the older row now means that photo, where it is."""
        twin = received.photo
        elsewhere = f", under {twin.pillar_name}" if twin.pillar_name != place else ""
        outcome = Outcome(
            EntryState.DONE,
            target=twin.name,
            rule=decision.rule,
            reason="SAME_FILE",
            message=f"its bytes are in the library already{elsewhere}",
        )
        await self._desk.account.note(self._desk.migration.id, PHOTOS, entry.id, outcome)

    async def _quarantine(
        self, entry: Entry, decision: Decision, reason: str, message: str
    ) -> None:
        rule = Rule.QUARANTINE if decision.error else decision.rule
        outcome = Outcome(EntryState.QUARANTINED, rule=rule, reason=reason, message=message)
        await self._desk.account.note(self._desk.migration.id, PHOTOS, entry.id, outcome)


def _cut(photo: LegacyPhoto) -> str:
    """What is too long to be kept as it was; the staged row has all of it."""
    limits = {"caption": (photo.caption, _MAX_CAPTION), "alt_text": (photo.alt_text, _MAX_ALT_TEXT)}
    return "; ".join(
        f"{name} had {len(text)} characters; {limit} are kept"
        for name, (text, limit) in limits.items()
        if len(text) > limit
    )


def _advice(error: str) -> str:
    return {
        "NO_PERSONA": "its persona is gone; assign it to a pillar",
        "NO_ACTIVE_PILLAR": "its persona has no pillar in use; assign it to a pillar",
    }[error]
