"""Finding a model on disk: the built-in ones, made at first use, or the one that a card names."""

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.errors import ColonnadeError, FailedPrecondition, InvalidArgument
from services.embedding.card import ImageCard, ModelCard, TextCard
from services.embedding.card_file import parse_card, read_card
from services.embedding.digest import Digests
from services.embedding.minilm import find_minilm
from services.embedding.recipes import (
    WEIGHTS_PACKAGE,
    Recipe,
    descriptor_recipe,
    find_weights,
    lite0_recipe,
    minilm_recipe,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model for images whose file is there and unharmed. ``notice`` tells people what they
    should know."""

    card: ImageCard
    path: Path
    notice: str = ""


@dataclass(frozen=True, slots=True)
class StoredText:
    """A model for texts whose files are there and unharmed."""

    card: TextCard
    path: Path
    tokenizer: Path


class ModelRepository:
    """The models of one installation that are made here. Blocking: call it in a thread."""

    def __init__(self, folder: Path, weights: Path | None, minilm: Path | None = None) -> None:
        """``folder`` holds what is made here; ``weights`` is what ``find_weights`` found, and
        ``minilm`` what ``find_minilm`` found."""
        self._folder = folder
        self._weights = weights
        self._minilm = minilm
        self._digests = Digests()

    @classmethod
    def in_data(cls, data: Path) -> "ModelRepository":
        """The repository of the data folder ``data``, with the weights that are installed."""
        return cls(data / "models", find_weights(), find_minilm())

    @property
    def folder(self) -> Path:
        """Where what is made here lies."""
        return self._folder

    def built_in(self) -> StoredModel:
        """The built-in network, or without its package the descriptor, which ``notice`` says.

        Raises ``FailedPrecondition`` (MODEL_NOT_READY) if it can neither be read nor made.
        """
        if self._weights is not None:
            return self._image(self._made(lite0_recipe(self._weights)))
        return self._image(
            self._made(descriptor_recipe()),
            f"The package {WEIGHTS_PACKAGE} is not installed. Photos are compared by colour, "
            "layout and texture only, which groups them far less well: install the package and "
            "embed the photos again.",
        )

    def built_in_text(self) -> ModelCard | None:
        """The card of the network for texts, if its package is installed.

        Raises ``FailedPrecondition`` (MODEL_NOT_READY) if it can neither be read nor made.
        """
        return None if self._minilm is None else self._made(minilm_recipe(self._minilm))

    def at(self, card_path: Path) -> StoredModel:
        """The model for images of a card; its file lies beside it.

        Raises ``InvalidArgument`` (INVALID_MODEL_CARD) for a wrong card and
        ``FailedPrecondition`` (MODEL_NOT_READY) for a missing or damaged file.
        """
        card = read_card(card_path)
        check_files(card, card_path.parent, self._digests)
        if card.image is None:
            raise InvalidArgument.of(
                "card.modality", "this model embeds texts only", reason="INVALID_MODEL_CARD"
            )
        return StoredModel(card.image, card_path.parent / card.image.file)

    def _image(self, card: ModelCard, notice: str = "") -> StoredModel:
        assert card.image is not None
        return StoredModel(card.image, self._folder / card.image.file, notice)

    def _made(self, recipe: Recipe) -> ModelCard:
        card_path = self._folder / f"{recipe.card['id']}.json"
        if not _is_current(card_path, recipe):
            self._make(card_path, recipe)
        try:
            return self._read(card_path)
        except ColonnadeError as error:
            _log.warning("%s; it is made again", error)
            self._make(card_path, recipe)
            return self._read(card_path)

    def _read(self, card_path: Path) -> ModelCard:
        card = read_card(card_path)
        check_files(card, self._folder, self._digests)
        return card

    def _make(self, card_path: Path, recipe: Recipe) -> None:
        """The files go first: a card never speaks of a file that is not there yet."""
        files = recipe.build()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                write_atomically(self._folder / name, content)
            card = _with_checksums(recipe.card, files)
            parse_card(json.dumps(card))
            write_atomically(card_path, json.dumps(card, indent=1).encode())
        except OSError as error:
            raise FailedPrecondition(
                f"the built-in model cannot be written to {self._folder}: {error.strerror}",
                reason="MODEL_NOT_READY",
            ) from error
        _log.info("made the model %s in %s", recipe.card["id"], self._folder)


def _with_checksums(value: Any, files: dict[str, bytes]) -> Any:
    """``value`` with the size and the checksum beside each file that it names."""
    if not isinstance(value, dict):
        return value
    result = {key: _with_checksums(inner, files) for key, inner in value.items()}
    if (content := files.get(value.get("file", ""))) is not None:
        digest = hashlib.sha256(content).hexdigest()
        result |= {"bytes": len(content), "sha256": digest}
    return result


def check_files(card: ModelCard, folder: Path, digests: Digests) -> None:
    """Whether the files of ``card`` lie in ``folder`` as the card says.

    Raises ``FailedPrecondition`` (MODEL_NOT_READY).
    """
    for file, sha256 in card.files.items():
        _check_file(folder / file, sha256, digests)


def _is_current(card_path: Path, recipe: Recipe) -> bool:
    """Whether the card was written by this version of the recipe."""
    try:
        stored = json.loads(card_path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and _holds(stored, recipe.card)


def _holds(stored: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether ``stored`` has all that is ``wanted``, and maybe checksums besides."""
    return all(
        _holds(stored[key], value)
        if isinstance(value, dict) and isinstance(stored.get(key), dict)
        else stored.get(key) == value
        for key, value in wanted.items()
    )


def _check_file(path: Path, sha256: str, digests: Digests) -> None:
    try:
        found = digests.of(path)
    except OSError as error:
        raise FailedPrecondition(
            f"the model file {path} cannot be read: {error.strerror}", reason="MODEL_NOT_READY"
        ) from error
    if found != sha256:
        raise FailedPrecondition(
            f"the model file {path} is damaged or not the one of its card: its SHA-256 starts "
            f"{found[:12]}, the card says {sha256[:12]}",
            reason="MODEL_NOT_READY",
        )


def write_atomically(path: Path, content: bytes) -> None:
    """Puts ``content`` in the place of what was there; nobody sees a part. Raises ``OSError``."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
