"""What the use cases need of the outside."""

from services.catalog.ports.library import (
    Captioner,
    Due,
    Examined,
    GapReports,
    Personas,
    PhotoEvents,
    Photos,
    Pictures,
    Pillars,
    UnusedBlobs,
)
from services.catalog.ports.planning import BatchLedger, Known, SuggestionBatches, Suggestions
from services.catalog.ports.runs import Candidates, Contest, Pairing, Runs, Votes
from services.catalog.ports.shared import Inbox, Listing, Requests
from services.catalog.ports.transaction import Catalog, Changing, Reading

__all__ = [
    "BatchLedger",
    "Candidates",
    "Captioner",
    "Catalog",
    "Changing",
    "Contest",
    "Due",
    "Examined",
    "GapReports",
    "Inbox",
    "Known",
    "Listing",
    "Pairing",
    "Personas",
    "PhotoEvents",
    "Photos",
    "Pictures",
    "Pillars",
    "Reading",
    "Requests",
    "Runs",
    "SuggestionBatches",
    "Suggestions",
    "UnusedBlobs",
    "Votes",
]
