"""Keeps what is past: posts that went out stay sent, runs keep their pillar."""

from dataclasses import replace

from libs.ids import uuid7
from services.catalog.domain.names import Key, persona_id, photo_key, pillar_key
from services.catalog.domain.photo import PostUse, usage_of
from services.catalog.domain.run import Run
from services.catalog.legacy.account import Entry, EntryState, Outcome
from services.catalog.legacy.desk import PERSONAS, PHOTOS, PILLARS, POSTS, RUNS, Desk, Progress
from services.catalog.legacy.library import LegacyPost
from services.catalog.legacy.rules import decide_run, persona_of_run
from services.catalog.legacy.sent import Fate, fate_of, use_of
from services.catalog.legacy.translation import translate_run
from services.catalog.usecases.requests import touched


class KeepPosts:
    """Notes on each photo the posts that used it, so that it is not offered again."""

    def __init__(self, desk: Desk, progress: Progress) -> None:
        self._desk = desk
        self._progress = progress

    async def run(self) -> None:
        """All of them. One whose photo is not there yet waits for it."""
        photos = await self._desk.entries(PHOTOS)
        entries = await self._desk.entries(POSTS)
        posts = {post.id: post for post in self._desk.library.posts}
        for done, entry in enumerate(entries.values(), 1):
            if entry.open:
                await self._one(entry, posts[entry.id], photos.get(posts[entry.id].photo))
            self._progress(POSTS, done, len(entries))

    async def _one(self, entry: Entry, post: LegacyPost, photo: Entry | None) -> None:
        now = self._desk.migration.create_time
        fate, use = fate_of(post, now), use_of(post, now)
        account, migration = self._desk.account, self._desk.migration.id
        if photo is None or photo.outcome.state is EntryState.GIVEN_UP:
            reason = "DANGLING_PHOTO" if photo is None else "PHOTO_GIVEN_UP"
            left = Outcome(EntryState.SKIPPED, reason=reason, message=f"it was {fate}")
            await account.note(migration, POSTS, entry.id, left)
        elif use is None:
            await account.note(migration, POSTS, entry.id, Outcome(EntryState.SKIPPED, reason=fate))
        elif photo.outcome.target:
            await self._use(entry, photo_key(photo.outcome.target), post, fate, use)

    async def _use(
        self, entry: Entry, key: Key, post: LegacyPost, fate: Fate, use: PostUse
    ) -> None:
        """A photo that came in brought its posts with it; one that was there is told of them."""
        tools = self._desk.tools
        name = self._desk.post_name(key.persona, post)
        outcome = Outcome(EntryState.DONE, target=name, made=True, reason=fate)
        async with tools.catalog.changing() as tx:
            photo = await tx.photos.locked(key)
            if photo is not None and await tx.photos.use(photo.id, name, use, 0):
                usage, posted_time = usage_of(await tx.photos.uses(photo.id))
                after = replace(photo, usage=usage, posted_time=posted_time)
                await tx.photos.save(touched(after, tools.clock.now()))
            migration = self._desk.migration.id
            await self._desk.account.note_in(tx.connection, migration, POSTS, entry.id, outcome)
            await tx.commit()


class KeepRuns:
    """Makes the runs that are not there yet."""

    def __init__(self, desk: Desk, progress: Progress) -> None:
        self._desk = desk
        self._progress = progress

    async def run(self) -> None:
        """All of them."""
        personas = await self._desk.targets(PERSONAS)
        pillars = await self._desk.targets(PILLARS)
        entries = await self._desk.entries(RUNS)
        runs = {run.id: run for run in self._desk.library.runs}
        now = self._desk.migration.create_time
        for done, entry in enumerate(entries.values(), 1):
            if entry.open:
                run = runs[entry.id]
                decision = decide_run(run, self._desk.library)
                owner = personas.get(persona_of_run(run, self._desk.library), "")
                if decision.error or not owner:
                    await self._leave(entry)
                else:
                    pillar = pillars.get(decision.pillar, "")
                    kept = pillar_key(pillar).id if pillar else ""
                    made = translate_run(run, persona_id(owner), kept, uuid7(), now)
                    await self._add(entry, made, decision.rule)
            self._progress(RUNS, done, len(entries))

    async def _leave(self, entry: Entry) -> None:
        text = "its persona is gone"
        outcome = Outcome(EntryState.QUARANTINED, reason="NO_PERSONA", message=text)
        await self._desk.account.note(self._desk.migration.id, RUNS, entry.id, outcome)

    async def _add(self, entry: Entry, run: Run, rule: str) -> None:
        outcome = Outcome(EntryState.DONE, target=run.name, made=True, rule=rule)
        async with self._desk.tools.catalog.changing() as tx:
            await tx.runs.add(run)
            migration = self._desk.migration.id
            await self._desk.account.note_in(tx.connection, migration, RUNS, entry.id, outcome)
            await tx.commit()
