"""What the use cases need of the outside."""

from services.catalog.ports.library import (
    Examined,
    GapReports,
    Personas,
    PhotoEvents,
    Photos,
    Pictures,
    Pillars,
    UnusedBlobs,
)
from services.catalog.ports.shared import Inbox, Listing, Requests
from services.catalog.ports.transaction import Catalog, Changing, Reading

__all__ = [
    "Catalog",
    "Changing",
    "Examined",
    "GapReports",
    "Inbox",
    "Listing",
    "Personas",
    "PhotoEvents",
    "Photos",
    "Pictures",
    "Pillars",
    "Reading",
    "Requests",
    "UnusedBlobs",
]
