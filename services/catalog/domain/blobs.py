"""Under which keys the bytes of photos are kept.

Keys are made of the content, so that equal bytes are kept once and a key's bytes never change.
"""

from enum import StrEnum

from libs.blobs.store import content_key
from services.catalog.domain.photo import Picture

ORIGINALS = "originals"
THUMBNAILS = "thumbnails"
PUBLISH = "publish"
FOLDERS = (ORIGINALS, THUMBNAILS, PUBLISH)

JPEG = "image/jpeg"
_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/tiff": "tif",
    "image/gif": "gif",
    "image/bmp": "bmp",
}


class Rendition(StrEnum):
    """A form in which a photo is kept."""

    ORIGINAL = "ORIGINAL"
    THUMBNAIL = "THUMBNAIL"
    PUBLISH = "PUBLISH"


def original_key(picture: Picture) -> str:
    """Where the bytes are as they were uploaded."""
    return content_key(ORIGINALS, picture.sha256, _EXTENSIONS[picture.mime_type])


def thumbnail_key(picture: Picture) -> str:
    """Where the thumbnail is."""
    return content_key(THUMBNAILS, picture.thumbnail_sha256, "jpg")


def publish_key(picture: Picture) -> str:
    """Where the form for publishing is, once somebody asked for it: below the original's digest."""
    return content_key(PUBLISH, picture.sha256, "jpg")


def digest_in(key: str) -> str:
    """The digest that a key is made of."""
    return key.rpartition("/")[2].partition(".")[0]
