"""Photos that show the same picture, in memory."""

from collections.abc import Collection, Mapping, Sequence

from services.scheduler.domain.names import Key
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.repeat import Appearance, Likeness
from tests.support.scheduler_fakes.data import Data

_WAITING = (PublicationState.READY, PublicationState.RETRY_WAIT)


class FakeCopies:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def lock(self, persona: str, photos: Collection[str]) -> None:
        return

    async def note(self, photo: str, copies: Mapping[str, Likeness], version: int) -> bool:
        if photo in self._data.copies and self._data.copies[photo][1] >= version:
            return False
        self._data.copies[photo] = dict(copies), version
        return True

    async def forget(self, photo: str) -> None:
        self._data.copies.pop(photo, None)

    async def of(self, photos: Collection[str]) -> Mapping[str, Collection[str]]:
        known = {photo: self._data.copies.get(photo, ({}, 0))[0] for photo in photos}
        return {photo: frozenset(copies) for photo, copies in known.items() if copies}

    async def seen(
        self, photos: Collection[str], channels: Collection[Key]
    ) -> Sequence[Appearance]:
        return [
            Appearance(
                photo=photo,
                copy=copy,
                likeness=likeness,
                post=post.name,
                repeats=post.repeats,
                publication=each.id,
                persona=each.persona,
                channel=each.channel,
                due_at=each.due_at,
                at=each.posted_at or each.due_at,
                waits=each.state in _WAITING,
                was_unknown=each.was_unknown,
            )
            for photo in photos
            for copy, likeness in self._data.copies.get(photo, ({}, 0))[0].items()
            for post in self._data.posts.values()
            if post.photo == copy
            for each in post.publications
            if Key(each.persona, each.channel) in channels and _takes_photo(each)
        ]


def _takes_photo(publication: Publication) -> bool:
    if publication.state is PublicationState.FAILED:
        return publication.provider_post_id != ""
    if publication.state is PublicationState.CANCELLED:
        return publication.in_doubt
    return publication.state is not PublicationState.MISSED
