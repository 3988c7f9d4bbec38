"""What happens to photos on their way through phones and folders: copies, edits, damage."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageEnhance, ImageOps

JPEG_QUALITY = 88
_LARGE = 260_000
_ORIENTATION_TAG = 0x0112
_TAKEN_TAG = 0x9003
# How a viewer turns a picture with the tag, and what the camera therefore has to store.
_STORED = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def jpeg(
    image: Image.Image, *, quality: int = JPEG_QUALITY, orientation: int = 1, taken: str = ""
) -> bytes:
    """A JPEG; with an EXIF ``orientation`` of 6 or 8 the pixels are stored turned accordingly.

    ``taken`` is when, as EXIF has it: ``2026:06:14 18:02:01``.
    """
    exif = Image.Exif()
    if taken:
        exif[ExifTags.IFD.Exif] = {_TAKEN_TAG: taken}
    if orientation != 1:
        image = image.transpose(_STORED[orientation])
        exif[_ORIENTATION_TAG] = orientation
    data = encoded(image, "JPEG", quality=quality, exif=exif.tobytes() if exif else b"")
    if len(data) > _LARGE:
        data = encoded(image, "JPEG", quality=quality - 14, exif=exif.tobytes() if exif else b"")
    return data


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def webp(image: Image.Image) -> bytes:
    return encoded(image, "WEBP", quality=84, method=2)


def cut_out(image: Image.Image) -> bytes:
    """A PNG whose surroundings fade to transparent, as a cut-out for a shop would."""
    small = ImageOps.contain(image, (640, 640))
    width, height = small.size
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    reach = np.sqrt(x * x + y * y)
    alpha = Image.fromarray((np.clip((1.0 - reach) / 0.08, 0, 1) * 255).astype(np.uint8))
    small.putalpha(alpha)
    return encoded(small, "PNG", compress_level=1)


def grey_16_bit(image: Image.Image) -> bytes:
    """A PNG of one 16-bit channel, as a scanner stores it."""
    grey = np.asarray(ImageOps.grayscale(ImageOps.contain(image, (800, 800)))).astype(
        np.uint16
    ) * np.uint16(257)
    return encoded(Image.fromarray(grey), "PNG", compress_level=1)


def smaller(image: Image.Image) -> bytes:
    return jpeg(ImageOps.contain(image, (640, 640)))


def squeezed(image: Image.Image) -> bytes:
    """As a messenger sends it on: smaller and hard on the quality."""
    return jpeg(ImageOps.contain(image, (1024, 1024)), quality=45)


def cropped(image: Image.Image) -> bytes:
    width, height = image.size
    return jpeg(image.crop((width // 18, height // 16, width - width // 24, height - height // 20)))


def brighter(image: Image.Image) -> bytes:
    return jpeg(ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.16)).enhance(1.1))


def warmer(image: Image.Image) -> bytes:
    red, green, blue = image.split()
    red, blue = red.point(lambda level: level * 1.07), blue.point(lambda level: level * 0.9)
    return jpeg(Image.merge("RGB", [red, green, blue]))


def straightened(image: Image.Image) -> bytes:
    """Turned by a degree and a half and cropped to what is still full."""
    turned = image.rotate(1.5, Image.Resampling.BICUBIC)
    return jpeg(ImageOps.crop(turned, border=round(max(image.size) * 0.02)))


def frame(image: Image.Image, number: int) -> bytes:
    """One frame of a hand-held burst, a second after the one before: the view drifts and the light
    flickers a little."""
    width, height = image.size
    left, top = width * (20 + 3 * number) // 1000, height * (15 + 4 * (number % 3)) // 1000
    view = image.crop((left, top, left + width * 94 // 100, top + height * 94 // 100))
    lit = ImageEnhance.Brightness(view).enhance(1 + 0.012 * (number % 3 - 1))
    return jpeg(lit, taken=f"2026:06:14 18:02:{number:02}")


def truncated(data: bytes) -> bytes:
    """A file whose copying was cut off."""
    return data[: len(data) * 2 // 5]


# By what the edit adds to the file's name.
EDITS: dict[str, Callable[[Image.Image], bytes]] = {
    "small": smaller,
    "from-chat": squeezed,
    "cropped": cropped,
    "brighter": brighter,
    "warmer": warmer,
    "straightened": straightened,
}
