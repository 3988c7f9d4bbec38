"""Builders of model cards."""

import copy
import json
from typing import Any

from services.embedding.card import ImageCard, ModelCard
from services.embedding.card_file import parse_card

DOCUMENT: dict[str, Any] = {
    "name": "A test model",
    "id": "test-model",
    "file": "test-model.onnx",
    "bytes": 10,
    "sha256": "0123456789abcdef" * 4,
    "licence": "CC0-1.0",
    "source": {"repository": "own work"},
    "input": {
        "name": "input",
        "dtype": "float32",
        "shape": ["N", 3, 24, 32],
        "layout": "NCHW",
        "colour": "RGB",
        "mean": [127.5, 127.5, 127.5],
        "std": [127.5, 127.5, 127.5],
        "resize": {"mode": "stretch", "size": [32, 24], "filter": "bicubic"},
    },
    "output": {"name": "embedding", "dtype": "float32", "shape": ["N", 4], "dim": 4},
    "normalise": "l2",
    "metric": "cosine",
    "near_duplicate_cosine": {
        "at_1_percent_false_matches": 0.5,
        "at_0_01_percent_false_matches": 0.8,
    },
    "same_scene_cosine": 0.7,
}
TEXT: dict[str, Any] = {
    "file": "test-text.onnx",
    "sha256": "ab" * 32,
    "tokenizer": {"file": "tokenizer.json", "sha256": "cd" * 32},
    "inputs": {"ids": "input_ids", "mask": "attention_mask"},
    "max_tokens": 77,
    "pooling": "output",
    "output": "text_embeds",
    "dim": 4,
}
_OF_ANY = ("name", "id", "licence", "source", "normalise", "metric")


def changed(card: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy of ``card`` with the values at dotted paths (``input__mean``) replaced."""
    result = copy.deepcopy(card)
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = result
        for parent in parents:
            target = target[parent]
        target[last] = value
    return result


def document(**changes: Any) -> dict[str, Any]:
    """A valid card of a model for images."""
    return changed(DOCUMENT, **changes)


def dual(**changes: Any) -> dict[str, Any]:
    """A valid card of a model for images and texts."""
    return changed({**DOCUMENT, "modality": "image_and_text", "text": TEXT}, **changes)


def text_only(**changes: Any) -> dict[str, Any]:
    """A valid card of a model for texts."""
    shared = {key: DOCUMENT[key] for key in _OF_ANY}
    return changed({**shared, "modality": "text", "text": TEXT}, **changes)


def parsed(card: dict[str, Any]) -> ModelCard:
    """The card as the service reads it."""
    return parse_card(json.dumps(card))


def card(**changes: Any) -> ImageCard:
    """A card of a model for images, parsed."""
    found = parsed(document(**changes)).image
    assert found is not None
    return found
