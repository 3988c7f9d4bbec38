"""Opening pictures that strangers sent: what they are, upright sRGB pixels, thumbnails.

The header is checked before a pixel is decoded, the format is told by content and never by name,
and whatever goes wrong is a ``libs.errors`` error. Everything here blocks: call it in a thread.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageFile, _imaging
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from libs.errors import ColonnadeError, InvalidArgument, OutOfQuota
from libs.image_colour import to_eight_bits, to_srgb
from libs.image_formats import MIME_TYPES, opener, sniff

# Shrinking from at least twice the wanted size keeps the resampling filter honest.
_OVERSAMPLING = 2

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_SIDEWAYS = 5
# Which orientations turn the far end of a stored picture to the left, or to the top.
_FAR_END_LEFT, _FAR_END_TOP = (2, 3, 6, 7), (3, 4, 7, 8)

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What is refused unread: files over ``max_bytes``, pictures over ``max_pixels``."""

    max_bytes: int = 50 * 1024 * 1024
    max_pixels: int = 200_000_000


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header says.

    ``format`` is JPEG, PNG, WEBP, AVIF, HEIF, TIFF, GIF or BMP. ``width`` and ``height`` are in
    pixels, as seen upright. ``orientation`` is the EXIF value 1 to 8; an illegal one counts as 1.
    ``frames`` is the number of frames or pages; for GIF and TIFF, whose header does not tell,
    2 stands for "more than one". Only the first frame is ever decoded.
    """

    format: str
    mime: str
    width: int
    height: int
    orientation: int
    frames: int


def reuse_buffers(count: int) -> None:
    """Keeps up to ``count`` pixel buffers of at most 16 MiB for the next pictures of the process.

    Otherwise each picture gets its memory from the system and gives it back, which takes a sixth
    of the time of a thumbnail.
    """
    _imaging.set_blocks_max(count)


def inspect(data: bytes, limits: ImageLimits) -> ImageInfo:
    """Reads the header only; damage further on shows when the picture is opened.

    Raises ``InvalidArgument`` with reason UNSUPPORTED_IMAGE or DAMAGED_IMAGE, and ``OutOfQuota``
    with reason IMAGE_TOO_LARGE.
    """
    with _opened(data, limits) as (format, image):
        orientation = _orientation(image)
        width, height = image.size if _upright(image, orientation) else image.size[::-1]
        return ImageInfo(format, MIME_TYPES[format], width, height, orientation, _frames(image))


def open_upright(
    data: bytes, limits: ImageLimits, target: tuple[int, int] | None = None
) -> Image.Image:
    """The first frame as an upright sRGB picture (mode RGB) without metadata.

    Transparent parts become white. ``target`` is the upright (width, height) that the caller will
    shrink to: the picture may then come smaller than stored, which is much faster, but with either
    side at least twice the target's where the stored one was. Raises what ``inspect`` raises.
    """
    return open_shrunk(data, limits, target)[0]


def open_shrunk(
    data: bytes, limits: ImageLimits, target: tuple[int, int] | None
) -> tuple[Image.Image, Box]:
    """What ``open_upright`` answers, and which part of it (left, top, right, bottom) is picture.

    Sides are divided by whole numbers, so that of the last pixel of a row only a part may be
    picture. Whoever resizes without ``box`` shifts the picture by up to that pixel.
    """
    with _opened(data, limits) as (_, image):
        orientation = _orientation(image)
        if target is not None and not _upright(image, orientation):
            target = target[::-1]
        # Pillow turns TIFF pages upright by itself while loading.
        turned = 1 if isinstance(image, TiffImageFile) else orientation
        plain, extent = _loaded(image, target)
        pixels = to_srgb(plain, image.info.get("icc_profile"))
        pixels.info = {}
        if turned != 1:
            pixels = pixels.transpose(_TRANSPOSITIONS[turned])
        return pixels, _box(pixels.size, extent, turned)


def thumbnail_jpeg(data: bytes, max_side: int, quality: int, limits: ImageLimits) -> bytes:
    """An upright JPEG whose longer side is at most ``max_side`` pixels; never enlarged.

    It carries no EXIF, comment or profile. ``quality`` is 1 to 95. Raises what ``inspect`` raises.
    """
    info = inspect(data, limits)
    size = fitted(info.width, info.height, max_side)
    image, box = open_shrunk(data, limits, size)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC, box)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@contextmanager
def _opened(data: bytes, limits: ImageLimits) -> Iterator[tuple[str, ImageFile.ImageFile]]:
    """Format and lazily opened picture; any failure inside the block means a damaged file."""
    _check_bytes(data, limits)
    format = sniff(data)
    open_file = opener(format)
    try:
        with open_file(io.BytesIO(data), "") as image:
            _check_pixels(image, limits)
            yield format, image
    except (ColonnadeError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(str(error)) from error
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        raise InvalidArgument.of(
            "image",
            f"the {format} file is damaged ({error}); send it again",
            reason="DAMAGED_IMAGE",
        ) from error


def _check_bytes(data: bytes, limits: ImageLimits) -> None:
    if not data:
        raise InvalidArgument.of("image", "the file is empty", reason="DAMAGED_IMAGE")
    if len(data) > limits.max_bytes:
        raise _too_large(f"{len(data)} bytes; at most {limits.max_bytes} are accepted")


def _check_pixels(image: Image.Image, limits: ImageLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise _too_large(
            f"{width} x {height} pixels; at most {limits.max_pixels} in all are accepted"
        )


def _too_large(text: str) -> OutOfQuota:
    # A retry of the same picture can never succeed, hence no time to wait for.
    return OutOfQuota(f"image: {text}", retry_after=0.0, reason="IMAGE_TOO_LARGE")


def _orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is absent, illegal or unreadable."""
    if isinstance(image, PngImageFile) and "exif" not in image.info:
        return 1  # Pillow would decode all pixels to look for a chunk behind them
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken metadata must not cost the picture
        return 1
    return value if value in _TRANSPOSITIONS else 1


def _upright(image: ImageFile.ImageFile, orientation: int) -> bool:
    """Whether ``image.size`` is the size as seen; Pillow swaps that of a TIFF by itself."""
    return orientation < _FIRST_SIDEWAYS or isinstance(image, TiffImageFile)


def _frames(image: ImageFile.ImageFile) -> int:
    """Counting a GIF or TIFF walks the whole file; whether there is a second is known at once."""
    if image.format in ("GIF", "TIFF"):
        return 2 if getattr(image, "is_animated", False) else 1
    return int(getattr(image, "n_frames", 1))


def _loaded(
    image: ImageFile.ImageFile, target: tuple[int, int] | None
) -> tuple[Image.Image, tuple[float, float]]:
    """The pixels as stored, at 8 bits, at about ``_OVERSAMPLING`` times ``target`` if larger.

    And how far to the right and down they are picture.
    """
    if target is None:
        image.load()
        return to_eight_bits(image), image.size
    width, height = target[0] * _OVERSAMPLING, target[1] * _OVERSAMPLING
    drafted = image.draft("RGB", (width, height))
    image.load()
    across, down = drafted[1][2:] if drafted else image.size
    factor = min(image.width // width, image.height // height)
    plain = to_eight_bits(image)
    if factor <= 1:
        return plain, (across, down)
    return plain.reduce(factor), (across / factor, down / factor)


def _box(size: tuple[int, int], extent: tuple[float, float], turned: int) -> Box:
    """Where the picture is after turning what had ``extent`` at its upper left; ``size`` is now."""
    width, height = extent if turned < _FIRST_SIDEWAYS else extent[::-1]
    left = size[0] - width if turned in _FAR_END_LEFT else 0.0
    top = size[1] - height if turned in _FAR_END_TOP else 0.0
    return left, top, min(left + width, size[0]), min(top + height, size[1])


def fitted(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size of a picture once its longer side is at most ``max_side``.

    The shorter side is rounded up, so that no shape gets more extreme than it was: a network that
    takes the picture's ratio takes that of its smaller form too.
    """
    longer = max(width, height)
    if longer <= max_side:
        return width, height
    return -(-width * max_side // longer), -(-height * max_side // longer)
