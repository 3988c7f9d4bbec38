"""Finding a model on disk: the built-in one, made at first use, or the one that a card names."""

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from libs.errors import ColonnadeError, FailedPrecondition
from services.embedding.card import ModelCard, parse_card, read_card
from services.embedding.digest import sha256_of
from services.embedding.recipes import (
    WEIGHTS_PACKAGE,
    Recipe,
    descriptor_recipe,
    find_weights,
    lite0_recipe,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model whose file is there and unharmed. ``notice`` tells people what they should know."""

    card: ModelCard
    path: Path
    notice: str = ""


class ModelRepository:
    """The models of one installation. Blocking: call it in a thread."""

    def __init__(self, folder: Path, weights: Path | None) -> None:
        """``folder`` holds what is made here; ``weights`` is what ``find_weights`` found."""
        self._folder = folder
        self._weights = weights

    @classmethod
    def in_data(cls, data: Path) -> "ModelRepository":
        """The repository of the data folder ``data``, with the weights that are installed."""
        return cls(data / "models", find_weights())

    def built_in(self) -> StoredModel:
        """The built-in network, or without its package the descriptor, which ``notice`` says.

        Raises ``FailedPrecondition`` (MODEL_NOT_READY) if it can neither be read nor made.
        """
        if self._weights is not None:
            return self._made(lite0_recipe(self._weights))
        return self._made(
            descriptor_recipe(),
            f"The package {WEIGHTS_PACKAGE} is not installed. Photos are compared by colour, "
            "layout and texture only, which groups them far less well: install the package and "
            "embed the photos again.",
        )

    def at(self, card_path: Path) -> StoredModel:
        """The model of a card; its file lies beside it.

        Raises ``InvalidArgument`` (INVALID_MODEL_CARD) for a wrong card and
        ``FailedPrecondition`` (MODEL_NOT_READY) for a missing or damaged file.
        """
        card = read_card(card_path)
        path = card_path.parent / card.file
        _check_file(path, card)
        return StoredModel(card, path)

    def _made(self, recipe: Recipe, notice: str = "") -> StoredModel:
        card_path = self._folder / f"{recipe.card['id']}.json"
        if not _is_current(card_path, recipe):
            self._make(card_path, recipe)
        try:
            stored = self.at(card_path)
        except ColonnadeError as error:
            _log.warning("%s; it is made again", error)
            self._make(card_path, recipe)
            stored = self.at(card_path)
        return StoredModel(stored.card, stored.path, notice)

    def _make(self, card_path: Path, recipe: Recipe) -> None:
        """The file goes first: a card never speaks of a file that is not there yet."""
        content = recipe.build()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / recipe.card["file"]
            _write_atomically(path, content)
            digest = hashlib.sha256(content).hexdigest()
            card = {**recipe.card, "bytes": len(content), "sha256": digest}
            parse_card(json.dumps(card))
            _write_atomically(card_path, json.dumps(card, indent=1).encode())
        except OSError as error:
            raise FailedPrecondition(
                f"the built-in model cannot be written to {self._folder}: {error.strerror}",
                reason="MODEL_NOT_READY",
            ) from error
        _log.info("made the model %s in %s", recipe.card["id"], self._folder)


def _is_current(card_path: Path, recipe: Recipe) -> bool:
    """Whether the card was written by this version of the recipe."""
    try:
        stored = json.loads(card_path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and recipe.card.items() <= stored.items()


def _check_file(path: Path, card: ModelCard) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise FailedPrecondition(
            f"the model file {path} cannot be read: {error.strerror}", reason="MODEL_NOT_READY"
        ) from error
    if found != card.sha256:
        raise FailedPrecondition(
            f"the model file {path} is damaged or not the one of its card: its SHA-256 starts "
            f"{found[:12]}, the card says {card.sha256[:12]}",
            reason="MODEL_NOT_READY",
        )


def _write_atomically(path: Path, content: bytes) -> None:
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
