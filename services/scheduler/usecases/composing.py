"""Texts for posts that have none, by templates, in a length that the networks take."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from libs.errors import InvalidArgument
from services.scheduler.domain.caption import (
    RECENT,
    Source,
    best,
    repeated_runs,
    shortened,
)
from services.scheduler.domain.caption_templates import drafts
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.hashtags import Strategy, choose
from services.scheduler.domain.manner import Manner, Subject
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.post import final_text
from services.scheduler.ports import Catalog, Store
from services.scheduler.usecases.create_post import NewPost
from services.scheduler.usecases.placing import Placing, Wanted

# What is tried until the networks take it: so many hashtags, then captions so much shorter.
_FEWER: Final = (5, 3, 0)
_SHORTER: Final = (1.0, 0.7, 0.4)


class Composing:
    """Writes what posts lack."""

    def __init__(self, store: Store, catalog: Catalog, placing: Placing) -> None:
        self._store = store
        self._catalog = catalog
        self._placing = placing

    async def pen(self, persona: str) -> "Pen":
        """What writes for a persona. Raises NotFound, FailedPrecondition, Unavailable."""
        manner, strategy = await self._catalog.manner(persona)
        async with self._store.reading() as view:
            recent = await view.posts.captions(persona, RECENT)
        return Pen(manner, strategy, recent, self._placing)


class Pen:
    """Writes for one persona; remembers what it wrote, so as not to repeat it."""

    def __init__(
        self, manner: Manner, strategy: Strategy, recent: Sequence[str], placing: Placing
    ) -> None:
        self._manner = manner
        self._strategy = strategy
        self._recent = list(recent)
        self._placing = placing

    def completed(
        self, new: NewPost, photo: Photo, subject: Subject, channels: Sequence[Channel]
    ) -> NewPost:
        """The post with a caption and hashtags where it has none.

        Where the networks of its channels take less, it gets fewer hashtags, then a shorter
        caption; what people wrote is never cut.
        """
        caption = new.caption or self._written(subject)
        tags = list(new.hashtags) or [hashtag.tag for hashtag in choose(subject, self._strategy)]
        made = replace(new, caption=caption, hashtags=tuple(tags))
        for text, some in self._forms(new, caption, tags):
            made = replace(new, caption=text, hashtags=some)
            if self._fits(made, photo, channels):
                break
        self._recent.insert(0, made.caption)
        return made

    def _written(self, subject: Subject) -> str:
        worn = repeated_runs(self._recent)
        made = [(text, Source.TEMPLATE, "") for text in drafts(subject, self._manner)]
        fresh = [w.text for w in best(made, self._manner, worn, len(made))]
        said = {text.casefold() for text in self._recent[:RECENT]}
        return next((text for text in fresh if text.casefold() not in said), "".join(fresh[:1]))

    def _forms(
        self, new: NewPost, caption: str, tags: Sequence[str]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        counts = (len(tags),) if new.hashtags else (len(tags), *_FEWER)
        for share in (1.0,) if new.caption else _SHORTER:
            for count in counts:
                yield shortened(caption, max(int(len(caption) * share), 1)), tuple(tags[:count])

    def _fits(self, made: NewPost, photo: Photo, channels: Sequence[Channel]) -> bool:
        assert made.scheduled_time is not None, "planned posts have a time"
        try:
            text = final_text(made.caption, made.hashtags)
        except InvalidArgument:
            return False
        alt_text = made.alt_text or photo.alt_text
        return self._placing.fits(Wanted(photo, text, alt_text, made.scheduled_time), channels)
