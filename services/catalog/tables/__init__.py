"""The tables of the catalog, in its own schema."""

from services.catalog.tables.base import METADATA, SCHEMA, SUPPORT
from services.catalog.tables.library import (
    GAP_REPORTS,
    PERSONAS,
    PHOTO_NEIGHBOURS,
    PHOTOS,
    PILLARS,
    POST_USES,
    UNUSED_BLOBS,
)

__all__ = [
    "GAP_REPORTS",
    "METADATA",
    "PERSONAS",
    "PHOTOS",
    "PHOTO_NEIGHBOURS",
    "PILLARS",
    "POST_USES",
    "SCHEMA",
    "SUPPORT",
    "UNUSED_BLOBS",
]
