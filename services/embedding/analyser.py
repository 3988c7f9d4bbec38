"""Detectors and classifiers: ONNX files that people install with a card, one JSON file beside each.

There is none built in: what finds faces or things is other people's work, with licences to read.
"""

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from libs.errors import FailedPrecondition
from services.embedding.card import Preprocessing
from services.embedding.detection import classified, detected
from services.embedding.digest import sha256_of
from services.embedding.model import model_failed
from services.embedding.operations import OPTIONAL, Operation, Picture, Report
from services.embedding.preprocess import tensor_of_picture
from services.embedding.session import open_onnx

_log = logging.getLogger(__name__)

_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Side = Annotated[int, Field(ge=8, le=4096)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Input(_Strict):
    name: str = Field(min_length=1)
    size: list[_Side] = Field(min_length=2, max_length=2)
    mean: list[float] = Field(min_length=3, max_length=3)
    std: list[Annotated[float, Field(gt=0.0)]] = Field(min_length=3, max_length=3)

    def preprocessing(self) -> Preprocessing:
        width, height = self.size
        red, green, blue = self.mean
        r, g, b = self.std
        return Preprocessing(
            size=(width, height),
            mode="stretch",
            filter="bilinear",
            short_side=min(width, height),
            mean=(red, green, blue),
            std=(r, g, b),
        )


class AnalyserCard(_Strict):
    """What a detector or classifier is and how it is asked.

    The input is float32 [n, 3, height, width], RGB, (pixel - mean) / std of pixels 0 to 255. A
    classifier gives ``scores`` [n, labels]; a detector ``boxes`` [n, k, 4] (left, top, right,
    bottom in shares) and ``scores`` [n, k, labels], where an empty label is the background.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,127}$")
    kind: Literal["detector", "classifier"]
    operation: str
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.onnx$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str = Field(min_length=1)
    source: str = Field(min_length=1)
    input: _Input
    boxes: str = ""
    scores: str = Field(min_length=1)
    labels: list[str] = Field(min_length=1)
    least_score: _Share = 0.5
    overlap: _Share = 0.4

    @model_validator(mode="after")
    def _fits(self) -> "AnalyserCard":
        if self.operation not in OPTIONAL:
            raise ValueError(f"operation must be one of {', '.join(OPTIONAL)}")
        if (self.kind == "detector") != bool(self.boxes):
            raise ValueError("a detector names its output of boxes, a classifier has none")
        return self


class Analyser:
    """An installed model as an operation. Its file is read at the first picture."""

    def __init__(self, card: AnalyserCard, path: Path) -> None:
        self._card = card
        self._path = path
        self._rules = card.input.preprocessing()
        self._outputs = [card.scores, card.boxes] if card.boxes else [card.scores]
        self._lock = threading.Lock()
        self._session: Any = None

    @property
    def description(self) -> str:
        """See ``Operation.description``."""
        return OPTIONAL[self._card.operation].partition(" Needs")[0]

    @property
    def implementation(self) -> str:
        """See ``Operation.implementation``."""
        return f"{self._card.id}@{self._card.sha256[:12]}"

    @property
    def labels(self) -> tuple[str, ...]:
        """See ``Operation.labels``."""
        return tuple(label for label in self._card.labels if label)

    @property
    def side(self) -> int:
        """See ``Operation.side``: twice the input, so that shrinking stays smooth."""
        return 2 * max(self._rules.size)

    def look(self, picture: Picture) -> Report:
        """See ``Operation.look``. Raises ``FailedPrecondition`` and ``Unavailable``, both with the
        reason MODEL_NOT_READY."""
        card = self._card
        tensor = tensor_of_picture(picture.pixels, self._rules)[None]
        session = self._opened()
        try:
            scores, *boxes = session.run(self._outputs, {card.input.name: tensor})
        except Exception as error:  # the runtime's exceptions have no common public base
            _log.exception("the model %s failed", card.id)
            raise model_failed(card.id) from error
        if not boxes:
            return Report(findings=classified(scores[0], card.labels, card.least_score))
        found = detected(boxes[0][0], scores[0], card.labels, card.least_score, card.overlap)
        return Report(findings=found)

    def _opened(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._open()
            return self._session

    def _open(self) -> Any:
        card = self._card
        try:
            digest = sha256_of(self._path)
        except OSError as error:
            raise _unusable(card.file, f"it cannot be read: {error.strerror}") from error
        if digest != card.sha256:
            raise _unusable(card.file, "it is damaged or not the one of its card")
        width, height = self._rules.size
        trial = {card.input.name: np.zeros((1, 3, height, width), np.float32)}
        session = open_onnx(self._path, trial, threads=1)
        try:
            # Not every output is an array; it may be a list or a table.
            shapes = [list(output.shape) for output in session.run(self._outputs, trial)]
        except Exception as error:  # as in look
            raise _unusable(card.file, f"it does not fit its card: {error}") from error
        scores, boxes = shapes[0], shapes[1:]
        fit = [[1, *scores[1:-1], 4]] if boxes else []
        if len(scores) != 2 + len(boxes) or boxes != fit:
            raise _unusable(card.file, f"its outputs have the shapes {shapes} for one picture")
        if scores[-1] != len(card.labels):
            raise _unusable(card.file, f"it has {scores[-1]} labels, its card {len(card.labels)}")
        return session


def _unusable(file: str, why: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the model file {file} cannot be used: {why}", reason="MODEL_NOT_READY"
    )


def installed(folder: Path) -> dict[str, Operation]:
    """The operations that the cards in ``folder`` add; a wrong card is told by the log."""
    found: dict[str, Operation] = {}
    for path, card in _cards(folder):
        if card.operation in found:
            _log.warning("%s: another model does %s already", path, card.operation)
            continue
        found[card.operation] = Analyser(card, path.parent / card.file)
    return found


def _cards(folder: Path) -> Iterator[tuple[Path, AnalyserCard]]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield path, AnalyserCard.model_validate(json.loads(path.read_bytes()))
        except (OSError, ValueError, ValidationError) as error:
            _log.error("the card %s cannot be used: %s", path, error)
