"""Deterministic pictures made of formulas, and their files."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """``image`` as a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of chunks (kind, body)."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def raw_png(rows: Any) -> bytes:
    """A PNG of 16 bits a channel, from [height, width, channels]; Pillow writes only grey ones."""
    height, width, channels = rows.shape
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return png_of((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))


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


def meadow(width: int = 320, height: int = 240) -> Image.Image:
    """What has texture at all scales as photos have, and as there mostly in brightness.

    Networks see hardly anything in smooth pictures, and then the last bit of a pixel matters.
    """
    y, x = np.mgrid[0:height, 0:width] / height
    disc = np.hypot(x - 0.4, y - 0.4) < 0.2
    fence = ((x * 12).astype(int) % 3 == 0) & (y > 0.75)
    light = 120 + 80 * _clouds(x, y, 0, 6) + np.where(disc, 60.0, np.where(fence, -80.0, 0.0))
    return _from_channels(*(light + 60 * _clouds(x, y, seed, 1) for seed in (1, 2, 3)))


def _clouds(x: Any, y: Any, seed: int, octaves: int) -> Any:
    """Noise of about -1 to 1; a finer octave is fainter."""
    total = np.zeros_like(x)
    for octave in range(octaves):
        cells = 4 * 2**octave
        column, row = np.floor(x * cells), np.floor(y * cells)
        across, down = (
            part * part * (3 - 2 * part) for part in (x * cells - column, y * cells - row)
        )
        corners = [
            [_hashed(column + i, row + j, seed * 7 + octave) for i in (0, 1)] for j in (0, 1)
        ]
        upper, lower = (left + (right - left) * across for left, right in corners)
        total += (upper + (lower - upper) * down) * 0.7**octave
    return total


def _hashed(x: Any, y: Any, seed: int) -> Any:
    """A number from -1 to 1 for each place of a lattice, the same on every machine."""
    mixed = x.astype(np.uint32) * np.uint32(73856093) ^ y.astype(np.uint32) * np.uint32(19349663)
    mixed ^= np.uint32(seed * 83492791 % 2**32)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(1274126177)
    mixed ^= mixed >> np.uint32(16)
    return mixed.astype(np.float64) / 2**31 - 1.0


def _from_channels(*channels: Any) -> Image.Image:
    stacked = np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255)
    return Image.fromarray(stacked.astype(np.uint8))
