"""Where the models that people bring lie: a folder, or a bucket whose files are copied here."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from libs.blobs.objects import open_blobs
from libs.blobs.store import BlobStore
from libs.errors import FailedPrecondition, NotFound, Unavailable
from services.embedding.card import ModelCard
from services.embedding.digest import Digests, sha256_of
from services.embedding.repository import check_files

# A card is a few kilobytes; a tokenizer, which is JSON too, may have several megabytes.
_MAX_CARD_BYTES = 1 << 20


class Shelf(Protocol):
    """Cards and the files that lie beside them."""

    async def cards(self) -> list[Path]:
        """The files of the cards, here. Raises ``Unavailable`` if nobody can tell now."""

    async def check(self, card: ModelCard, folder: Path) -> None:
        """Whether the files of a card of ``folder`` are there, and unharmed if that is known.

        Raises ``FailedPrecondition`` (MODEL_NOT_READY).
        """

    async def fetch(self, card: ModelCard, folder: Path) -> None:
        """Makes sure that the files of a card lie in ``folder``, unharmed.

        Raises ``FailedPrecondition`` (MODEL_NOT_READY) and ``Unavailable``.
        """


def open_shelf(models: str | None, data: Path, options: Mapping[str, str]) -> Shelf:
    """The shelf that the setting ``models`` means; ``options`` are those of buckets."""
    folder = shelf_folder(models, data)
    if folder is not None:
        return FolderShelf(folder)
    name = hashlib.sha256(str(models).encode()).hexdigest()[:12]
    return BucketShelf(open_blobs(str(models), options), data / "models" / f"bucket-{name}")


def shelf_folder(models: str | None, data: Path) -> Path | None:
    """The folder that the setting ``models`` means, by default one in ``data``; None if it is the
    address of a bucket."""
    if models is None:
        return data / "models" / "added"
    return None if "://" in models else Path(models)


class FolderShelf:
    """A folder: its JSON files and those of the folders in it. A missing one is empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests = Digests()

    async def cards(self) -> list[Path]:
        """See ``Shelf.cards``."""
        return await asyncio.to_thread(cards_in, self._folder)

    async def check(self, card: ModelCard, folder: Path) -> None:
        """See ``Shelf.check``; every checksum is compared."""
        await asyncio.to_thread(check_files, card, folder, self._digests)

    async def fetch(self, card: ModelCard, folder: Path) -> None:
        """See ``Shelf.fetch``."""
        await self.check(card, folder)


class BucketShelf:
    """A bucket. Cards are copied into ``copies`` at each look, files at their first use."""

    def __init__(self, blobs: BlobStore, copies: Path) -> None:
        self._blobs = blobs
        self._copies = copies
        self._digests = Digests()
        self._keys: frozenset[str] = frozenset()

    async def cards(self) -> list[Path]:
        """See ``Shelf.cards``."""
        self._keys = frozenset([key async for key in self._blobs.list()])
        wanted = [key for key in self._keys if key.endswith(".json") and key.count("/") <= 1]
        for key in wanted:
            await self._copy_card(key)
        found = await asyncio.to_thread(cards_in, self._copies)
        return [path for path in found if self._key(path) in self._keys]

    async def check(self, card: ModelCard, folder: Path) -> None:
        """See ``Shelf.check``; checksums show when the files are copied."""
        for file in card.files:
            if self._key(folder / file) not in self._keys:
                raise FailedPrecondition(
                    f"the model file {self._key(folder / file)} is not in the bucket",
                    reason="MODEL_NOT_READY",
                )

    async def fetch(self, card: ModelCard, folder: Path) -> None:
        """See ``Shelf.fetch``."""
        for file, sha256 in card.files.items():
            if not await asyncio.to_thread(self._is_here, folder / file, sha256):
                await self._copy(folder / file)
        await asyncio.to_thread(check_files, card, folder, self._digests)

    async def _copy_card(self, key: str) -> None:
        try:
            if await self._blobs.head(key) <= _MAX_CARD_BYTES:
                await self._copy(self._copies / key)
        except NotFound:
            return  # it has gone since the bucket was listed

    async def _copy(self, path: Path) -> None:
        partial = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    async for piece in self._blobs.stream(self._key(path)):
                        await asyncio.to_thread(file.write, piece)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise FailedPrecondition(
                f"the model file {path} cannot be written: {error.strerror}",
                reason="MODEL_NOT_READY",
            ) from error

    def _is_here(self, path: Path, sha256: str) -> bool:
        try:
            return self._digests.of(path) == sha256
        except OSError:
            return False

    def _key(self, path: Path) -> str:
        return path.relative_to(self._copies).as_posix()


def cards_in(folder: Path) -> list[Path]:
    """The cards in ``folder`` and in the folders in it, in the order of their names.

    A card is a JSON file that is not plainly something else, such as a tokenizer; so one that is
    damaged or cannot be read counts. Blocks. Raises ``Unavailable`` (MODEL_NOT_READY) if a folder
    cannot be read.
    """
    try:
        found = [*folder.glob("*.json"), *folder.glob("*/*.json")]
    except OSError as error:
        raise Unavailable(
            f"the folder of models {folder} cannot be read: {error.strerror}",
            reason="MODEL_NOT_READY",
        ) from error
    return sorted(path for path in found if not path.name.startswith(".") and _may_be_card(path))


def _may_be_card(path: Path) -> bool:
    try:
        if path.stat().st_size > _MAX_CARD_BYTES:
            return False
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError):
        return False
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(content, dict) and ("id" in content or "sha256" in content)


def put_on_shelf(card: ModelCard, source: Path, folder: Path) -> Path:
    """Copies a card and its files, which are beside it and unharmed, into ``folder``.

    They get a folder of their own, named after the model; what was there is replaced, the card
    last. Answers the path of the card. Blocks. Raises ``FailedPrecondition`` (MODEL_NOT_READY).
    """
    check_files(card, source.parent, Digests())
    place = folder / card.id
    try:
        place.mkdir(parents=True, exist_ok=True)
        copies = {place / file: source.parent / file for file in card.files}
        copies[place / f"{card.id}.json"] = source
        for target, origin in copies.items():
            _copy_file(origin, target)
    except OSError as error:
        raise FailedPrecondition(
            f"the model cannot be copied to {place}: {error.strerror}", reason="MODEL_NOT_READY"
        ) from error
    return place / f"{card.id}.json"


def _copy_file(origin: Path, target: Path) -> None:
    if target.exists() and sha256_of(target) == sha256_of(origin):
        return
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(origin, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def unused_id(path: Path, taken: Mapping[str, object]) -> str:
    """What to call a model whose card cannot be read, or whose id another one has."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in path.stem)
    stem = plain.lower().lstrip("._-")[:100] or "model"
    names = (stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)
