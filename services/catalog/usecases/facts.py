"""What other services tell about photos. Each fact has its effect once; old ones have none."""

from collections.abc import Sequence
from dataclasses import replace

from libs.clock import Clock
from services.catalog.domain.names import Key
from services.catalog.domain.photo import Embedding, FilingState, Photo, PostUse, usage_of
from services.catalog.domain.pillar import Pillar
from services.catalog.ports import Catalog, Changing
from services.catalog.ports.filing import Near
from services.catalog.usecases.filing import FilingCases, announce_moves
from services.catalog.usecases.requests import touched

CONSUMER = "catalog"


class FactCases:
    """Takes note of what became of embeddings and posts. Unknown photos are left alone."""

    def __init__(self, catalog: Catalog, clock: Clock, filing: FilingCases) -> None:
        self._catalog = catalog
        self._clock = clock
        self._filing = filing

    async def embedded(
        self, event: str, key: Key, embedding: Embedding, scene: Key, nearest: Sequence[Near]
    ) -> None:
        """The photo can be searched; ``scene`` is the photo whose scene it shares, or itself.

        If it waited to be filed, it is, by what is ``nearest`` to it.
        """
        async with self._catalog.changing() as tx:
            photo = await _news(tx, event, key)
            if photo is not None:
                shared = await _shared_scene(tx, photo, scene)
                await tx.filings.note(key, nearest)
                await self._settle(tx, photo, replace(photo, embedding=embedding, scene=shared))
            await tx.commit()

    async def embedding_failed(self, event: str, key: Key, embedding: Embedding) -> None:
        """The photo could not be embedded; ``embedding`` says why."""
        async with self._catalog.changing() as tx:
            photo = await _news(tx, event, key)
            if photo is not None:
                await self._settle(tx, photo, replace(photo, embedding=embedding))
            await tx.commit()

    async def post_changed(
        self, event: str, key: Key, post: str, use: PostUse, version: int
    ) -> None:
        """A post that uses the photo changed; ``version`` tells older news of it from newer."""
        async with self._catalog.changing() as tx:
            photo = await _news(tx, event, key)
            if photo is not None and await tx.photos.use(photo.id, post, use, version):
                usage, posted_time = usage_of(await tx.photos.uses(photo.id))
                after = replace(photo, usage=usage, posted_time=posted_time)
                await self._save(tx, photo, after)
            await tx.commit()

    async def _settle(self, tx: Changing, before: Photo, after: Photo) -> None:
        pillars: Sequence[Pillar] = ()
        if after.filing.state is FilingState.PENDING:
            (after,), pillars = await self._filing.look(tx, [after])
        saved = await self._save(tx, before, after)
        announce_moves(tx, [(before, saved)], pillars)

    async def _save(self, tx: Changing, before: Photo, after: Photo) -> Photo:
        if after == before:
            return after
        after = touched(after, self._clock.now())
        await tx.photos.save(after)
        return after


async def _news(tx: Changing, event: str, key: Key) -> Photo | None:
    """The photo, locked, if there is one and the event is new."""
    if not await tx.inbox.first_time(event, CONSUMER):
        return None
    return await tx.photos.locked(key)


async def _shared_scene(tx: Changing, photo: Photo, other: Key) -> str:
    """The scene of the photo from now on. Whoever gathered around it comes along."""
    if other.id == photo.id:
        return photo.id
    scene = await tx.photos.scene_of(other)
    if scene != photo.id:
        await tx.photos.join_scenes(photo.persona, photo.id, scene)
    return scene
