"""The catalog as a whole: read, or changed in one transaction."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.catalog.ports.campaigns import CampaignEvents, Campaigns
from services.catalog.ports.filing import Filings
from services.catalog.ports.imports import PhotoImports
from services.catalog.ports.library import (
    GapReports,
    Personas,
    PhotoEvents,
    Photos,
    Pillars,
    UnusedBlobs,
)
from services.catalog.ports.planning import BatchLedger, SuggestionBatches, Suggestions
from services.catalog.ports.runs import Candidates, Runs, Votes
from services.catalog.ports.shared import Inbox, Requests


class Reading(Protocol):
    """The catalog, to be read; each statement stands alone."""

    @property
    def personas(self) -> Personas: ...
    @property
    def pillars(self) -> Pillars: ...
    @property
    def photos(self) -> Photos: ...
    @property
    def reports(self) -> GapReports: ...
    @property
    def imports(self) -> PhotoImports: ...
    @property
    def suggestions(self) -> Suggestions: ...
    @property
    def suggestion_batches(self) -> SuggestionBatches: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def candidates(self) -> Candidates: ...
    @property
    def votes(self) -> Votes: ...
    @property
    def campaigns(self) -> Campaigns: ...
    @property
    def filings(self) -> Filings: ...


class Changing(Reading, Protocol):
    """One transaction; what is not committed is undone."""

    @property
    def batch_ledger(self) -> BatchLedger: ...
    @property
    def blobs(self) -> UnusedBlobs: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def photo_events(self) -> PhotoEvents: ...
    @property
    def campaign_events(self) -> CampaignEvents: ...
    async def commit(self) -> None:
        """Makes everything so far lasting, and lets the events go."""


class Catalog(Protocol):
    """Where everything of the catalog is kept."""

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """For reads."""

    def changing(self) -> AbstractAsyncContextManager[Changing]:
        """For changes."""

    async def keep_blobs(self, keys: Iterable[str]) -> None:
        """``UnusedBlobs.keep`` and nothing else, committed at once."""
