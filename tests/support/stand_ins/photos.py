"""Pictures as a provider sees them."""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Photo:
    """What a provider was sent, or fetched."""

    sha256: str
    mime_type: str
    width: int
    height: int
    size: int
    has_metadata: bool


def photo_of(data: bytes) -> Photo | None:
    """The picture in ``data``; None if there is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            info = {"exif", "comment", "photoshop", "xmp", "icc_profile"} & set(image.info)
            mime_type = Image.MIME[image.format or ""]
            digest = hashlib.sha256(data).hexdigest()
            return Photo(digest, mime_type, *image.size, len(data), bool(info))
    except Exception:  # whatever it is, it is no picture
        return None
