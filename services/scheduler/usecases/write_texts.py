"""Proposing texts for posts: by a language model where there is one, else of templates."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from libs.errors import Unavailable
from libs.llm.answers import Model, ask
from libs.llm.chat import ChatFailed, ChatMessage
from libs.llm.reading import Unusable
from services.scheduler.domain.caption import (
    RECENT,
    Source,
    Written,
    best,
    repeated_runs,
)
from services.scheduler.domain.caption_asking import SYSTEM, captions_in, question
from services.scheduler.domain.caption_templates import drafts
from services.scheduler.domain.hashtags import Hashtag, choose
from services.scheduler.domain.manner import Manner, Subject
from services.scheduler.domain.names import PHOTO
from services.scheduler.ports import Catalog, Store

log = logging.getLogger(__name__)

MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Author:
    """A language model that writes, and whether it can see pictures."""

    model: Model
    sees: bool = False


@dataclass(frozen=True, slots=True)
class Captions:
    """Captions, best first; ``note`` says why no language model wrote them, if one was to."""

    written: Sequence[Written]
    note: str = ""


class WriteTexts:
    """Proposes captions and hashtags. Without ``author``, templates write."""

    def __init__(self, store: Store, catalog: Catalog, author: Author | None) -> None:
        self._store = store
        self._catalog = catalog
        self._author = author

    async def captions(self, photo: str, count: int = MOST, hint: str = "") -> Captions:
        """``count`` captions for a photo; templates stand in for what the model does not give.

        Raises NotFound, FailedPrecondition (ARCHIVED), Unavailable.
        """
        persona, _ = PHOTO.parse(photo, "photo")
        manner, _ = await self._catalog.manner(persona)
        subject = replace(await self._catalog.subject(photo), hint=hint)
        async with self._store.reading() as view:
            recent = await view.posts.captions(persona, RECENT)
        worn = repeated_runs(recent)
        asked, note = await self._asked(subject, manner, recent, count)
        found = best(asked, manner, worn, count)
        if len(found) < count:
            made = [(text, Source.TEMPLATE, "") for text in drafts(subject, manner)]
            known = {written.text.casefold() for written in found}
            others = best(made, manner, worn, count + len(known))
            found += [w for w in others if w.text.casefold() not in known][: count - len(found)]
        if asked and not any(written.source is Source.MODEL for written in found):
            note = "nothing that the language model wrote may go out"
        return Captions(found, note)

    async def hashtags(self, photo: str, count: int = 0) -> list[Hashtag]:
        """Hashtags for a photo; ``count`` 0: as many as the persona has. Raises as above."""
        persona, _ = PHOTO.parse(photo, "photo")
        _, strategy = await self._catalog.manner(persona)
        return choose(await self._catalog.subject(photo), strategy, count)

    async def _asked(
        self, subject: Subject, manner: Manner, recent: Sequence[str], count: int
    ) -> tuple[list[tuple[str, Source, str]], str]:
        """What the model wrote, or why it did not."""
        if self._author is None:
            return [], ""
        model = self._author.model
        told = question(subject, manner, repeated_runs(recent), recent, count)
        messages = (
            ChatMessage("system", SYSTEM),
            ChatMessage("user", told, await self._picture(subject.photo)),
        )
        try:
            texts = await ask(model, messages, captions_in)
        except (ChatFailed, Unusable) as error:
            log.warning("templates write the captions: %s", error)
            return [], f"the language model wrote none: {error}"
        return [(text, Source.MODEL, model.name) for text in texts], ""

    async def _picture(self, photo: str) -> bytes:
        if self._author is None or not self._author.sees:
            return b""
        try:
            return await self._catalog.thumbnail(photo)
        except Unavailable as error:
            # Words alone are better than nothing.
            log.warning("the model writes without the picture: %s", error)
            return b""
