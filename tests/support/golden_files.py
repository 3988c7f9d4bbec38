"""Files of every kind, drawn by formulas, each with the pixels that a person sees in it.

The pixels of ``PICTURES`` are known without any decoder; ``FILES`` are files, each made of one of
them. What a lossy file lost is no fault of its reader, so there Pillow's own way to the stored
pixels is taken, and what was done to them (turned, other colours) is undone by name. So whatever
reads a file wrongly gives other pixels than those, and another vector.
"""

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support.pictures import checkers, encoded, meadow, raw_png, speckles
from tests.support.profiles import swapped_primaries

Pixels = NDArray[np.uint8]

_ORIENTATION = 0x0112
# How an upright picture is stored so that the EXIF value turns it upright again.
_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _shades() -> NDArray[np.uint8]:
    return np.asarray(meadow())[:, :, 1]


def _grey(values: NDArray[np.uint8]) -> Pixels:
    return np.repeat(values[:, :, None], 3, axis=2)


def _fading(width: int = 320, height: int = 240) -> Pixels:
    """How opaque each pixel is: from not at all on the left to wholly on the right."""
    return np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1))


def _on_white(pixels: Pixels) -> Pixels:
    share = _fading()[:, :, None] / 255.0
    return np.rint(pixels * share + 255.0 * (1.0 - share)).astype(np.uint8)


def _inks() -> Pixels:
    """Cyan, magenta, yellow and black, [height, width, 4]."""
    colours = 255 - np.asarray(meadow())
    return np.dstack([colours, _shades() // 3])


def _printed(inks: Pixels) -> Pixels:
    light = 1.0 - inks / 255.0
    return np.rint(255.0 * light[:, :, :3] * light[:, :, 3:]).astype(np.uint8)


def _board() -> NDArray[np.bool_]:
    return _shades() > 127


def _cut_out() -> Pixels:
    """The board with all that is dark blue made transparent, and thus white."""
    pixels = np.asarray(checkers()).copy()
    pixels[np.all(pixels == (90, 170, 230), axis=2)] = 255
    return pixels


def _line(length: int = 300) -> Pixels:
    """One pixel wide, from dark to light with a red end."""
    column = np.linspace(20, 220, length).round().astype(np.uint8)
    pixels = np.repeat(column[:, None, None], 3, axis=2)
    pixels[-length // 4 :, 0] = (200, 30, 30)
    return pixels


_DRAWN: dict[str, Callable[[], Pixels]] = {
    "meadow": lambda: np.asarray(meadow()),
    "checkers": lambda: np.asarray(checkers()),
    "speckles": lambda: np.asarray(speckles()),
    "large": lambda: np.tile(np.asarray(meadow(301, 227)), (4, 4, 1)),
    "wide": lambda: np.tile(np.asarray(meadow(300, 60)), (1, 10, 1)),
    "swapped": lambda: np.asarray(meadow())[:, :, ::-1],
    "shades": lambda: _grey(_shades()),
    "board": lambda: _grey(_board() * np.uint8(255)),
    "faded": lambda: _on_white(np.asarray(meadow())),
    "faded-grey": lambda: _on_white(_grey(_shades())),
    "cut-out": _cut_out,
    "inks": lambda: _printed(_inks()),
    "column": _line,
    "row": lambda: _line().transpose(1, 0, 2),
    "dot": lambda: np.full((1, 1, 3), (200, 100, 50), dtype=np.uint8),
}


PICTURES = tuple(_DRAWN)


@cache
def pixels_of(picture: str) -> Pixels:
    """What a person sees in one of ``PICTURES``: upright sRGB, [height, width, 3]."""
    return _DRAWN[picture]()


def _oriented(value: int, format: str, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = value
    turn = _STORED[value]
    upright = _drawn("meadow")
    stored = upright if turn is None else upright.transpose(turn)
    return encoded(stored, format, exif=exif, **options)


def _drawn(name: str) -> Image.Image:
    return Image.fromarray(pixels_of(name))


def _animated(format: str, **options: Any) -> bytes:
    others = [Image.new("RGB", (300, 200), colour) for colour in ("black", "yellow")]
    return encoded(checkers(), format, save_all=True, append_images=others, **options)


def _palette(**options: Any) -> bytes:
    return encoded(checkers().quantize(8), "PNG", **options)


def _transparent_palette() -> bytes:
    image = checkers().quantize(8)
    entries = np.array(image.getpalette()).reshape(-1, 3)
    return encoded(image, "PNG", transparency=entries.tolist().index([90, 170, 230]))


def _faded() -> Image.Image:
    return Image.fromarray(np.dstack([pixels_of("meadow"), _fading()]))


def _faded_grey() -> Image.Image:
    return Image.fromarray(np.dstack([_shades(), _fading()]), "LA")


def _deep(channels: int) -> NDArray[np.uint16]:
    return np.repeat((_shades() * np.uint16(257))[:, :, None], channels, axis=2)


def _photo(name: str, format: str, quality: int = 95) -> Callable[[], bytes]:
    return lambda: encoded(_drawn(name), format, quality=quality)


def _exact(name: str, format: str, **options: Any) -> Callable[[], bytes]:
    return lambda: encoded(_drawn(name), format, **options)


def _made(function: Callable[..., bytes], *arguments: Any, **options: Any) -> Callable[[], bytes]:
    return lambda: function(*arguments, **options)


# The name of a file up to the first dot is that of its picture.
FILES: dict[str, Callable[[], bytes]] = {
    "meadow.jpeg": _photo("meadow", "JPEG"),
    "meadow.webp": _photo("meadow", "WEBP"),
    "meadow.avif": _photo("meadow", "AVIF", 90),
    "meadow.lossless.webp": _exact("meadow", "WEBP", lossless=True),
    "meadow.png": _exact("meadow", "PNG"),
    "meadow.tiff": _exact("meadow", "TIFF"),
    "meadow.bmp": _exact("meadow", "BMP"),
    **{
        f"meadow.exif-{value}.jpeg": _made(_oriented, value, "JPEG", quality=95)
        for value in _STORED
    },
    **{
        f"meadow.exif-{value}.{format.lower()}": _made(_oriented, value, format, lossless=True)
        for value in (5, 6, 7, 8)
        for format in ("PNG", "WEBP")
    },
    "meadow.exif-6.tiff": _made(_oriented, 6, "TIFF"),
    "checkers.png": _exact("checkers", "PNG"),
    "checkers.palette.png": _palette,
    "checkers.animated.gif": _made(_animated, "GIF"),
    "checkers.animated.png": _made(_animated, "PNG"),
    "checkers.animated.webp": _made(_animated, "WEBP", lossless=True),
    "checkers.pages.tiff": _made(_animated, "TIFF"),
    "speckles.png": _exact("speckles", "PNG"),
    "large.jpeg": _photo("large", "JPEG", 90),
    "large.webp": _photo("large", "WEBP", 90),
    "large.png": _exact("large", "PNG"),
    "wide.jpeg": _photo("wide", "JPEG"),
    "wide.png": _exact("wide", "PNG"),
    "swapped.profile.png": lambda: encoded(
        _drawn("meadow"), "PNG", icc_profile=swapped_primaries()
    ),
    "swapped.profile.jpeg": lambda: encoded(
        _drawn("meadow"), "JPEG", quality=95, subsampling=0, icc_profile=swapped_primaries()
    ),
    "shades.png": lambda: encoded(_drawn("shades").convert("L"), "PNG"),
    "shades.jpeg": lambda: encoded(_drawn("shades").convert("L"), "JPEG", quality=95),
    "shades.16-bit.png": lambda: encoded(Image.fromarray(_deep(1)[:, :, 0]), "PNG"),
    "shades.16-bit.tiff": lambda: encoded(Image.fromarray(_deep(1)[:, :, 0]), "TIFF"),
    "shades.16-bit-rgb.png": lambda: raw_png(_deep(3)),
    "board.1-bit.png": lambda: encoded(Image.fromarray(_board()), "PNG"),
    "board.1-bit.tiff": lambda: encoded(Image.fromarray(_board()), "TIFF"),
    "faded.png": lambda: encoded(_faded(), "PNG"),
    "faded.webp": lambda: encoded(_faded(), "WEBP", lossless=True),
    "faded.tiff": lambda: encoded(_faded(), "TIFF"),
    "faded-grey.png": lambda: encoded(_faded_grey(), "PNG"),
    "cut-out.palette.png": _transparent_palette,
    "inks.jpeg": lambda: encoded(Image.fromarray(_inks(), "CMYK"), "JPEG", quality=95),
    "inks.tiff": lambda: encoded(Image.fromarray(_inks(), "CMYK"), "TIFF"),
    "column.png": _exact("column", "PNG"),
    "row.png": _exact("row", "PNG"),
    "row.webp": _exact("row", "WEBP", lossless=True),
    "dot.png": _exact("dot", "PNG"),
    "dot.jpeg": _photo("dot", "JPEG"),
}


def _plain(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"))


def _turned(turn: Image.Transpose | None) -> Callable[[Image.Image], Pixels]:
    back = {Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270}
    back[Image.Transpose.ROTATE_270] = Image.Transpose.ROTATE_90
    return lambda image: _plain(image if turn is None else image.transpose(back.get(turn, turn)))


# How to see the picture in what a codec decodes of a file that lost some of it.
_LOSSY: dict[str, Callable[[Image.Image], Pixels]] = {
    **{f"meadow.exif-{value}.jpeg": _turned(turn) for value, turn in _STORED.items()},
    **dict.fromkeys(("meadow.jpeg", "meadow.webp", "meadow.avif"), _plain),
    **dict.fromkeys(("large.jpeg", "large.webp", "wide.jpeg", "shades.jpeg", "dot.jpeg"), _plain),
    "swapped.profile.jpeg": lambda image: _plain(image)[:, :, ::-1],
    "inks.jpeg": lambda image: _printed(np.asarray(image)),
}


def is_lossy(file: str) -> bool:
    """Whether a file of ``FILES`` holds only about the pixels of its picture."""
    return file in _LOSSY


def seen_in(file: str, data: bytes) -> Pixels:
    """What a person sees in a file of ``FILES``: its picture, or what its codec left of that."""
    if file not in _LOSSY:
        return pixels_of(picture_in(file))
    with Image.open(io.BytesIO(data)) as image:
        return _LOSSY[file](image)


def picture_in(file: str) -> str:
    """Which of ``PICTURES`` a file of ``FILES`` shows."""
    return file.partition(".")[0]
