"""The tables of the catalog, in its own schema."""

from services.catalog.tables.base import METADATA, SCHEMA, SUPPORT
from services.catalog.tables.campaigns import CAMPAIGNS
from services.catalog.tables.imports import PHOTO_IMPORT_ITEMS, PHOTO_IMPORTS
from services.catalog.tables.legacy import LEGACY_GATES, LEGACY_MIGRATIONS, LEGACY_ROWS
from services.catalog.tables.library import (
    GAP_REPORTS,
    PERSONAS,
    PHOTO_NEIGHBOURS,
    PHOTOS,
    PILLARS,
    POST_USES,
    UNUSED_BLOBS,
)
from services.catalog.tables.planning import RUNS, SUGGESTION_BATCHES, SUGGESTIONS
from services.catalog.tables.voting import CANDIDATES, VOTES

__all__ = [
    "CAMPAIGNS",
    "CANDIDATES",
    "GAP_REPORTS",
    "LEGACY_GATES",
    "LEGACY_MIGRATIONS",
    "LEGACY_ROWS",
    "METADATA",
    "PERSONAS",
    "PHOTOS",
    "PHOTO_IMPORTS",
    "PHOTO_IMPORT_ITEMS",
    "PHOTO_NEIGHBOURS",
    "PILLARS",
    "POST_USES",
    "RUNS",
    "SCHEMA",
    "SUGGESTIONS",
    "SUGGESTION_BATCHES",
    "SUPPORT",
    "UNUSED_BLOBS",
    "VOTES",
]
