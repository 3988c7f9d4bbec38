"""What computes the vectors of texts: a network in ONNX Runtime, or rules without weights."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from libs.text.similarity import vector_of
from services.embedding.repository import StoredText
from services.embedding.session import (
    FLOATS,
    Feed,
    Floats,
    check_result,
    check_value,
    open_onnx,
    provider_of,
)
from services.embedding.tokens.tokenizer import read_tokenizer

_INTEGERS = ("tensor(int64)", "tensor(int32)")

T = TypeVar("T")


class TextSession(Protocol[T]):
    """A loaded model for texts. Both methods block and may be called from several threads."""

    @property
    def provider(self) -> str:
        """What it runs on, such as ``CPUExecutionProvider``."""
        ...

    @property
    def at_once(self) -> int:
        """Up to how many characters a text is read and computed in a fraction of a millisecond."""
        ...

    def read(self, text: str) -> tuple[T, bool]:
        """The text as the model takes it, and whether it was cut."""
        ...

    def run(self, batch: Sequence[T]) -> Floats:
        """[n] to [n, dimension], not normalised."""
        ...


class NgramSession:
    """The hashed words and pieces of words of ``libs.text.similarity``."""

    provider = "rules"
    at_once = 200

    def read(self, text: str) -> tuple[str, bool]:
        """See ``TextSession.read``: every text is read whole."""
        return text, False

    def run(self, batch: Sequence[str]) -> Floats:
        """See ``TextSession.run``."""
        return np.stack([vector_of(text) for text in batch])


class OnnxTextSession:
    """A network for texts with its tokenizer: on CUDA where that works, else on the processor."""

    at_once = 0

    def __init__(self, stored: StoredText, *, threads: int = 1, require_gpu: bool = False) -> None:
        """Loads the files and checks inputs and output against the card.

        Raises ``FailedPrecondition`` with reason GPU_REQUIRED or MODEL_NOT_READY.
        """
        self._card = card = stored.card
        self._tokenizer = read_tokenizer(stored.tokenizer, card.max_tokens)
        # Until the file is open, its integers are taken to be of the usual size.
        self._integers: type[Any] = np.int64
        trial = self._feed([self.read("a")[0]])
        self._session = open_onnx(stored.path, trial, threads=threads, require_gpu=require_gpu)
        self._check_signature()
        trial = self._feed([self.read("a")[0]])
        check_result(card.file, self._session, card.output_name, trial, self._output_shape())

    @property
    def provider(self) -> str:
        """The first execution provider, which computes whatever it can."""
        return provider_of(self._session)

    def read(self, text: str) -> tuple[list[int], bool]:
        """See ``TextSession.read``."""
        encoding = self._tokenizer.encode(text)
        return encoding.ids, encoding.truncated

    def run(self, batch: Sequence[list[int]]) -> Floats:
        """See ``TextSession.run``."""
        (output,) = self._session.run([self._card.output_name], self._feed(batch))
        if self._card.pooling == "output":
            return cast(Floats, output)
        if self._card.pooling == "cls":
            return cast(Floats, output[:, 0])
        return _mean(output, [len(ids) for ids in batch])

    def _feed(self, batch: Sequence[list[int]]) -> Feed:
        card = self._card
        width = card.max_tokens if card.fixed_length else max(map(len, batch))
        ids = np.full((len(batch), width), self._tokenizer.padding, self._integers)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed: Feed = {card.ids_input: ids}
        if card.mask_input is not None:
            feed[card.mask_input] = mask
        if card.types_input is not None:
            feed[card.types_input] = np.zeros_like(ids)
        return feed

    def _output_shape(self) -> list[int | None]:
        dimension = self._card.dimension
        return [dimension] if self._card.pooling == "output" else [None, dimension]

    def _check_signature(self) -> None:
        card = self._card
        inputs = self._session.get_inputs()
        length = card.max_tokens if card.fixed_length else None
        for name in (card.ids_input, card.mask_input, card.types_input):
            if name is not None:
                check_value(card.file, inputs, name, _INTEGERS, [length])
        check_value(
            card.file, self._session.get_outputs(), card.output_name, FLOATS, self._output_shape()
        )
        types = {value.name: value.type for value in inputs}
        self._integers = np.int32 if types[card.ids_input] == "tensor(int32)" else np.int64


def _mean(vectors: Floats, lengths: list[int]) -> Floats:
    """The mean of the vectors of each text's own tokens, of [n, tokens, dimension]."""
    counts = np.array(lengths, np.float32)[:, None]
    own = np.arange(vectors.shape[1])[None, :] < counts
    return cast(Floats, (vectors * own[:, :, None]).sum(axis=1, dtype=np.float32) / counts)
