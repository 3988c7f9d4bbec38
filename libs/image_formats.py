"""Which picture formats are read, told by their first bytes, and Pillow's opener of each."""

import importlib
import warnings
from collections.abc import Callable
from typing import IO

from PIL import Image, ImageFile

from libs.errors import InvalidArgument

MIME_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_MAX_FILE_TYPE_BOX = 256

Opener = Callable[[IO[bytes], str | bytes], ImageFile.ImageFile]

# Damaged metadata is ignored on purpose: Pillow's word for it would stand among what people read.
warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning)


def sniff(data: bytes) -> str:
    """The format that the first bytes announce, as a key of ``MIME_TYPES``.

    Raises ``InvalidArgument`` with reason UNSUPPORTED_IMAGE for anything else.
    """
    for signature, format in _SIGNATURES:
        if data.startswith(signature):
            return format
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_brands(data)
    raise _unsupported("this is not a picture of a known format")


def opener(format: str) -> Opener:
    """What reads the header of a file of ``format``: ``opener(format)(file, name)``.

    Pillow's own ``Image.open`` is not used because its pixel limit is one number for the whole
    process and only warns below twice that number; callers here bring their own limit.
    Raises ``InvalidArgument`` with reason UNSUPPORTED_IMAGE if no decoder is installed.
    """
    Image.init()
    if format == "HEIF" and format not in Image.OPEN:
        _register_heif()
    if format not in Image.OPEN:
        raise _unsupported(f"no decoder for {format} is installed; send a JPEG instead")
    return Image.OPEN[format][0]


def _sniff_brands(data: bytes) -> str:
    # ISO/IEC 14496-12 4.3: major brand, minor version, then the compatible brands, 4 bytes each.
    end = min(int.from_bytes(data[:4], "big"), _MAX_FILE_TYPE_BOX)
    brands = {data[at : at + 4] for at in range(8, end, 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    raise _unsupported("this is a video or a container of a kind that is not read")


def _register_heif() -> None:
    try:
        importlib.import_module("pi_heif").register_heif_opener()
    except ImportError as error:
        raise _unsupported(
            "HEIC needs the optional package pi-heif on the server; send a JPEG instead"
        ) from error


def _unsupported(text: str) -> InvalidArgument:
    return InvalidArgument.of("image", text, reason="UNSUPPORTED_IMAGE")
