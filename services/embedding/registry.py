"""Every model that is known: those made here, and those that people brought."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from libs.errors import ColonnadeError, FailedPrecondition
from libs.text.similarity import DIMENSIONS
from services.embedding.card import ModelCard, NgramCard, TextCard
from services.embedding.card_file import read_card
from services.embedding.repository import ModelRepository, StoredModel, StoredText
from services.embedding.shelf import FolderShelf, Shelf, unused_id

log = logging.getLogger(__name__)

NGRAMS = ModelCard(
    id="text-ngrams",
    name="Hashed words and pieces of words, without a network: same words, not same meaning",
    licence="Apache-2.0",
    source="colonnade",
    dimension=DIMENSIONS,
    image=None,
    text=NgramCard(version=1, dimension=DIMENSIONS),
)


async def _nothing() -> None:
    """For models whose files are here in any case."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that is known, whether or not it can be used.

    ``error`` tells why it cannot; ``card`` is the last one that was right if the card itself is
    wrong, and None if it never was right. ``prepare`` brings its files into ``folder`` and checks
    them; it raises ``FailedPrecondition`` or ``Unavailable``.
    """

    id: str
    card: ModelCard | None
    folder: Path | None = None
    notice: str = ""
    error: ColonnadeError | None = None
    size_bytes: int = 0
    prepare: Callable[[], Awaitable[None]] = _nothing

    @property
    def image(self) -> StoredModel | None:
        """The files of its part for images."""
        if self.card is None or self.card.image is None or self.folder is None:
            return None
        return StoredModel(self.card.image, self.folder / self.card.image.file, self.notice)

    @property
    def text(self) -> StoredText | None:
        """The files of its part for texts."""
        if self.card is None or self.folder is None or not isinstance(self.card.text, TextCard):
            return None
        card = self.card.text
        return StoredText(card, self.folder / card.file, self.folder / card.tokenizer_file)


class ModelRegistry:
    """Looks for models: made here, named by a card of the settings, brought to the shelf."""

    def __init__(self, repository: ModelRepository, shelf: Shelf, card: Path | None = None) -> None:
        """``card`` is one more card, whose model is the default one."""
        self._repository = repository
        self._shelf = shelf
        self._card = card
        self._beside = FolderShelf(card.parent) if card is not None else None
        self._brought: dict[str, Listed] = {}
        # What runs goes by its last good card while its file is half written or cannot be read.
        self._cards: dict[Path, ModelCard] = {}
        self._made = Listed("built-in", None)
        self._made_text = Listed("built-in-text", None)
        self.default = ""
        self.text_default = NGRAMS.id
        self.complete = False

    async def scan(self) -> dict[str, Listed]:
        """All models by id, the default one first; sets ``default``, ``text_default`` and
        ``complete``, which is whether the shelf could be listed.

        Nothing that is wrong with one model keeps the others from being found.
        """
        found: dict[str, Listed] = {}
        if self._card is not None and self._beside is not None:
            self.default = await self._add(found, self._beside, self._card)
        built_in = await asyncio.to_thread(self._built_in)
        found.setdefault(built_in.id, built_in)
        if self._card is None:
            self.default = built_in.id
        await self._add_brought(found)
        text = await asyncio.to_thread(self._built_in_text)
        if text is not None:
            found.setdefault(text.id, text)
        usable = text is not None and text.card is not None
        self.text_default = text.id if text is not None and usable else NGRAMS.id
        found.setdefault(NGRAMS.id, Listed(NGRAMS.id, NGRAMS))
        return found

    def _built_in(self) -> Listed:
        try:
            stored = self._repository.built_in()
        except ColonnadeError as error:
            return replace(self._made, error=error)
        card = ModelCard.of_image(stored.card)
        folder = self._repository.folder
        self._made = Listed(card.id, card, folder, stored.notice, size_bytes=_size(card, folder))
        return self._made

    def _built_in_text(self) -> Listed | None:
        try:
            card = self._repository.built_in_text()
        except ColonnadeError as error:
            return replace(self._made_text, error=error)
        if card is None:
            return None
        folder = self._repository.folder
        self._made_text = Listed(card.id, card, folder, size_bytes=_size(card, folder))
        return self._made_text

    async def _add_brought(self, found: dict[str, Listed]) -> None:
        try:
            paths: Sequence[Path] = await self._shelf.cards()
            self.complete = True
        except ColonnadeError as error:
            self.complete = False
            log.warning("the models cannot be listed: %s", error.message)
            for known in self._brought.values():
                found.setdefault(known.id, known)
            return
        before = set(found)
        for path in paths:
            await self._add(found, self._shelf, path)
        self._brought = {id: listed for id, listed in found.items() if id not in before}

    async def _add(self, found: dict[str, Listed], shelf: Shelf, path: Path) -> str:
        """Lists the model of the card ``path``; answers the id."""
        card: ModelCard | None = None
        error: ColonnadeError | None = None
        folder = path.parent
        try:
            card = self._cards[path] = await asyncio.to_thread(read_card, path)
            if card.id in found:
                raise FailedPrecondition(
                    f"the card {path.name} has the id {card.id}, which another model has",
                    reason="MODEL_NOT_READY",
                )
            await shelf.check(card, folder)
        except ColonnadeError as caught:
            card, error = self._cards.get(path), caught
        id = card.id if card is not None and card.id not in found else unused_id(path, found)
        size = 0 if card is None else await asyncio.to_thread(_size, card, folder)
        known = card

        async def prepare() -> None:
            if known is not None:
                await shelf.fetch(known, folder)

        found[id] = Listed(id, card, folder, error=error, size_bytes=size, prepare=prepare)
        return id


def _size(card: ModelCard, folder: Path) -> int:
    """What its files take; 0 while one is not here."""
    try:
        return sum((folder / file).stat().st_size for file in card.files)
    except OSError:
        return 0
