"""What a picture is like as 136 bits, for finding copies of one file.

The bits are the signs of the lowest frequencies of the picture, so a smaller or recompressed copy
has nearly the same ones. A flip turns the signs of odd frequencies over and a quarter turn swaps
the two directions, so the bits of all eight orientations follow from those of one.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# What is stored says with what it may be compared: to be raised with any change of the bits.
ALGORITHM = "dct136-1"
BITS = 136
BYTES = BITS // 8
ORIENTATIONS = 8

_SIDE = 32
_FREQUENCIES = 16
# Grey levels of a border that still count as one colour: what JPEG makes of it.
_BORDER_NOISE = 12.0
_BORDER_SIDE = 128
# No more than this share of either direction is border: what is left would say nothing.
_MOST_BORDER = 0.7
# A frequency below this is noise of compression, in grey levels of one pixel in the small picture.
_NOISE = 2.0
_LEAST_SHARE = 0.5

Bits = NDArray[np.bool_]


def hash_of(image: Image.Image) -> bytes | None:
    """The bits of a picture of mode RGB or L; None if it has too little detail to be told apart."""
    grey = image.convert("L")
    small = grey.resize((_SIDE, _SIDE), Image.Resampling.BOX, content_box(grey))
    waves = _cosines() @ np.asarray(small, dtype=np.float64) @ _cosines().T
    rows, columns = _places()
    chosen = waves[rows, columns]
    if np.mean(np.abs(chosen[1:]) >= _NOISE) < _LEAST_SHARE:
        return None
    bits = chosen > 0
    bits[0] = False  # the mean brightness says nothing
    return np.packbits(bits).tobytes()


def content_box(image: Image.Image) -> tuple[float, float, float, float]:
    """What is left of a picture (left, top, right, bottom) without borders of one colour."""
    side = _BORDER_SIDE
    small = image.convert("L").resize((side, side), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.float32)
    top, bottom = _border(grey), _border(grey[::-1])
    left, right = _border(grey.T), _border(grey.T[::-1])
    most = _MOST_BORDER * side
    if top + bottom > most or left + right > most:
        return 0.0, 0.0, float(image.width), float(image.height)
    across, down = image.width / side, image.height / side
    return left * across, top * down, (side - right) * across, (side - bottom) * down


def turned(bits: bytes) -> list[bytes]:
    """The bits of the picture in the orientations 1 to 8, counted as EXIF does: 1 is the picture
    itself, and ``n`` is how a picture must be turned that is stored with the EXIF value ``n``."""
    plain = np.unpackbits(np.frombuffer(bits, np.uint8)).astype(bool)
    return [np.packbits(plain[order] ^ signs).tobytes() for order, signs in _orientations()]


def distance(one: bytes, other: bytes) -> tuple[int, int]:
    """How many bits differ in the best orientation, and that orientation of ``other``."""
    number = int.from_bytes(one)
    counts = [(number ^ int.from_bytes(bits)).bit_count() for bits in turned(other)]
    least = min(counts)
    return least, counts.index(least) + 1


def _border(lines: NDArray[np.float32]) -> float:
    """How many lines from the first on are of the colour of the first.

    One line that is partly border counts too: content begins within it.
    """
    same = np.abs(lines - lines[0].mean()).max(axis=1) <= _BORDER_NOISE
    run = len(same) if same.all() else int(np.argmin(same))
    return run + 1.0 if run else 0.0


@cache
def _cosines() -> NDArray[np.float64]:
    """The basis of the cosine transform: one frequency a row."""
    pixel = (2 * np.arange(_SIDE) + 1) * np.pi / (2 * _SIDE)
    waves: NDArray[np.float64] = np.cos(np.arange(_FREQUENCIES)[:, None] * pixel)
    waves *= np.sqrt(2 / _SIDE)
    waves[0] /= np.sqrt(2)
    return waves


@cache
def _places() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The frequencies that are used, lowest first: down and across."""
    pairs = [(v, u) for v in range(_FREQUENCIES) for u in range(_FREQUENCIES - v)]
    pairs.sort(key=lambda pair: (sum(pair), pair))
    rows, columns = np.array(pairs).T
    return rows, columns


@cache
def _orientations() -> list[tuple[NDArray[np.int64], Bits]]:
    """For each orientation, where its bits come from and which of them turn over."""
    rows, columns = _places()
    where = {(int(v), int(u)): n for n, (v, u) in enumerate(zip(rows, columns, strict=True))}
    swap = np.array([where[int(u), int(v)] for v, u in zip(rows, columns, strict=True)])
    same = np.arange(BITS)
    down, across = rows % 2 == 1, columns % 2 == 1
    none = np.zeros(BITS, dtype=bool)
    # EXIF 1 to 8: swapped or not, and turned over across and down after that.
    made = (
        (same, none),
        (same, across),
        (same, across ^ down),
        (same, down),
        (swap, none),
        (swap, across),
        (swap, across ^ down),
        (swap, down),
    )
    return list(made)
