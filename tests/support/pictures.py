"""Deterministic pictures made of formulas, and their files."""

import io
from typing import Any

import numpy as np
from PIL import Image


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """``image`` as a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def waves(width: int = 320, height: int = 240, shift: float = 0.0) -> Image.Image:
    """Coloured waves crossing each other; another ``shift`` gives another picture."""
    y, x = np.mgrid[0:height, 0:width]
    red = np.sin(x / 17 + shift) + np.cos(y / 23)
    green = np.sin((x + 2 * y) / 31 + 2 * shift)
    blue = np.cos(np.hypot(x - width / 3, y - height / 2) / 13 - shift)
    return _from_channels(127.5 + 60 * red, 127.5 + 120 * green, 127.5 + 120 * blue)


def checkers(width: int = 300, height: int = 200, cell: int = 25) -> Image.Image:
    """A board of dark red and light blue with a white disc."""
    y, x = np.mgrid[0:height, 0:width]
    odd = (x // cell + y // cell) % 2 == 1
    disc = np.hypot(x - width / 2, y - height / 2) < height / 4
    red, green, blue = np.where(odd, 150, 90), np.where(odd, 20, 170), np.where(odd, 30, 230)
    return _from_channels(*(np.where(disc, 255, channel) for channel in (red, green, blue)))


def speckles(width: int = 256, height: int = 256) -> Image.Image:
    """Noise from an integer hash of the position, the same on every machine."""
    y, x = np.mgrid[0:height, 0:width].astype(np.uint32)
    mixed = (x * np.uint32(73856093)) ^ (y * np.uint32(19349663))
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(1274126177)
    return _from_channels(mixed >> 24, (mixed >> 16) & 255, (mixed >> 8) & 255)


def _from_channels(*channels: Any) -> Image.Image:
    stacked = np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255)
    return Image.fromarray(stacked.astype(np.uint8))
