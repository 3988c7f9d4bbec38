"""A second way from a picture to a model's input, written out in numpy and shared with nothing.

Resampling is that with which the published networks are used (Pillow's, and torchvision's on it):
first across, then down; each new pixel is a weighted mean of the old ones, brought to 8 bits; the
kernel is widened when shrinking, and what lies outside of the picture has no weight.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def resized(pixels: NDArray[np.generic], size: tuple[int, int], filter: str) -> Floats:
    """[height, width, 3] at another (width, height); whole numbers from 0 to 255."""
    values = pixels.astype(np.float64)
    across = _weights(pixels.shape[1], size[0], filter)
    values = _eight_bits(np.einsum("xw,hwc->hxc", across, values, optimize=True))
    down = _weights(pixels.shape[0], size[1], filter)
    return _eight_bits(np.einsum("yh,hxc->yxc", down, values, optimize=True))


def cropped(pixels: Pixels, size: tuple[int, int], short_side: int, filter: str) -> Floats:
    """The shorter side to ``short_side``, the longer one in proportion, then the middle."""
    height, width = pixels.shape[:2]
    scale = short_side / min(width, height)
    small = resized(pixels, (round(width * scale), round(height * scale)), filter)
    top, left = (small.shape[0] - size[1]) // 2, (small.shape[1] - size[0]) // 2
    return small[top : top + size[1], left : left + size[0]]


def letterboxed(
    pixels: Pixels, size: tuple[int, int], filter: str, fill: tuple[float, float, float]
) -> Floats:
    """The longer side fits, the rest is ``fill``, half of it on either side."""
    height, width = pixels.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    small = resized(pixels, (round(width * scale), round(height * scale)), filter)
    canvas = np.tile(np.array(fill, dtype=np.float64), (size[1], size[0], 1))
    top, left = (size[1] - small.shape[0]) // 2, (size[0] - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def _eight_bits(values: Floats) -> Floats:
    return np.clip(np.floor(values + 0.5), 0.0, 255.0)


def _weights(source: int, target: int, filter: str) -> Floats:
    """How much of each of ``source`` pixels is in each of ``target``: [target, source]."""
    scale = source / target
    stretch = max(scale, 1.0)
    centres = (np.arange(target)[:, None] + 0.5) * scale
    weights = _KERNELS[filter]((np.arange(source)[None, :] + 0.5 - centres) / stretch)
    return weights / weights.sum(axis=1, keepdims=True)


def _bilinear(x: Floats) -> Floats:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _bicubic(x: Floats) -> Floats:
    """Keys (1981) with a = -0.5."""
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x * x + 1.0
    outer = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, inner, np.where(x < 2.0, outer, 0.0))


def _lanczos(x: Floats) -> Floats:
    return np.where(np.abs(x) < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)


_KERNELS: dict[str, Callable[[Floats], Floats]] = {
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "lanczos": _lanczos,
}
