"""The catalog as a whole: read, or changed in one transaction."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.catalog.ports.library import (
    GapReports,
    Personas,
    PhotoEvents,
    Photos,
    Pillars,
    UnusedBlobs,
)
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


class Changing(Reading, Protocol):
    """One transaction; what is not committed is undone."""

    @property
    def blobs(self) -> UnusedBlobs: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def photo_events(self) -> PhotoEvents: ...
    async def commit(self) -> None:
        """Makes everything so far lasting, and lets the events go."""


class Catalog(Protocol):
    """Where everything of the catalog is kept."""

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """For reads."""

    def changing(self) -> AbstractAsyncContextManager[Changing]:
        """For changes."""
