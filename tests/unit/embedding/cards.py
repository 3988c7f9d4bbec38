"""Builders of model cards."""

import copy
import json
from typing import Any

from services.embedding.card import ModelCard, parse_card

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


def document(**changes: Any) -> dict[str, Any]:
    """A valid card with the values at dotted paths (``input__mean``) replaced."""
    changed = copy.deepcopy(DOCUMENT)
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = changed
        for parent in parents:
            target = target[parent]
        target[last] = value
    return changed


def card(**changes: Any) -> ModelCard:
    """The same, parsed."""
    return parse_card(json.dumps(document(**changes)))
