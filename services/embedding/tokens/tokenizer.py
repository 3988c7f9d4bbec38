"""A tokenizer.json, as the ``tokenizers`` library writes it, read without that library.

It depends on a client of a model hub and all that this needs, and its own part of the work is
small. Known are the rules of BERT, CLIP, SigLIP and their relatives; a file with any other is
refused, because nearly the same tokens give vectors that are silently wrong. Special tokens are set
around a text, but never recognised within one: what people write is text.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.errors import FailedPrecondition
from services.embedding.tokens.errors import UnknownRule
from services.embedding.tokens.models import PieceModel, piece_model
from services.embedding.tokens.normalizers import Normalizer, normalizer
from services.embedding.tokens.splitters import Splitter, splitter

Rules = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The tokens of a text, those that frame it included. ``truncated``: it was longer."""

    ids: list[int]
    truncated: bool


class Tokenizer:
    """Turns texts into tokens. Made by ``read_tokenizer``."""

    def __init__(
        self,
        normalize: Normalizer,
        split: Splitter,
        model: PieceModel,
        frame: tuple[list[int], list[int]],
        padding: int,
        max_tokens: int,
    ) -> None:
        self.padding = padding
        self.max_tokens = max_tokens
        self._normalize = normalize
        self._split = split
        self._model = model
        self._before, self._after = frame
        self._room = max_tokens - len(self._before) - len(self._after)

    def encode(self, text: str) -> Encoding:
        """The tokens of ``text``, at most ``max_tokens``; what is cut is cut at the end."""
        ids: list[int] = []
        for piece in self._split(self._normalize(text)):
            ids.extend(self._model(piece))
            if len(ids) > self._room:
                break
        cut = len(ids) > self._room
        return Encoding([*self._before, *ids[: self._room], *self._after], cut)


def read_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """The tokenizer of the file. Raises ``FailedPrecondition`` (MODEL_NOT_READY)."""
    try:
        rules = json.loads(path.read_bytes())
        return _tokenizer(rules, max_tokens)
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unusable(path, str(error) or type(error).__name__) from error


def _tokenizer(rules: Rules, max_tokens: int) -> Tokenizer:
    return Tokenizer(
        normalizer(rules.get("normalizer")),
        splitter(rules.get("pre_tokenizer")),
        piece_model(rules["model"]),
        _frame(rules.get("post_processor")),
        _padding(rules),
        max_tokens,
    )


def _frame(rules: Rules | None) -> tuple[list[int], list[int]]:
    """The tokens before and behind every text."""
    if rules is None:
        return [], []
    kind = rules.get("type")
    if kind in ("BertProcessing", "RobertaProcessing"):
        return [rules["cls"][1]], [rules["sep"][1]]
    if kind == "TemplateProcessing":
        return _template(rules)
    if kind == "ByteLevel":
        return [], []
    raise UnknownRule(f"the post-processor {kind!r} is not known here")


def _template(rules: Rules) -> tuple[list[int], list[int]]:
    before: list[int] = []
    after: list[int] = []
    side = before
    for part in rules["single"]:
        if "Sequence" in part:
            side = after
        else:
            side.extend(rules["special_tokens"][part["SpecialToken"]["id"]]["ids"])
    return before, after


def _padding(rules: Rules) -> int:
    """The token that fills the rows of shorter texts."""
    stated = rules.get("padding")
    if stated is not None:
        return int(stated["pad_id"])
    special = {token["content"]: token["id"] for token in rules.get("added_tokens", ())}
    for name in ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>", "</s>"):
        if name in special:
            return int(special[name])
    return 0


def _unusable(path: Path, why: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the tokenizer {path.name} cannot be used: {why}", reason="MODEL_NOT_READY"
    )
