"""Everything that the scheduler keeps, to be read and changed together."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.scheduler.ports.channels import Channels
from services.scheduler.ports.copies import PhotoCopies
from services.scheduler.ports.failures import Failures
from services.scheduler.ports.lateness import LatePublications
from services.scheduler.ports.plans import PlanDecisions
from services.scheduler.ports.posts import Posts
from services.scheduler.ports.prechecks import Prechecks
from services.scheduler.ports.publications import Attempts, Publications
from services.scheduler.ports.records import History, Inbox, PostEvents, Requests
from services.scheduler.ports.remote_checks import RemoteChecks
from services.scheduler.ports.results import Results
from services.scheduler.ports.rights import PhotoRights


class Reading(Protocol):
    """The scheduler's data, to be read; each statement stands alone."""

    @property
    def channels(self) -> Channels: ...
    @property
    def posts(self) -> Posts: ...
    @property
    def publications(self) -> Publications: ...
    @property
    def attempts(self) -> Attempts: ...
    @property
    def rights(self) -> PhotoRights: ...
    @property
    def copies(self) -> PhotoCopies: ...
    @property
    def decisions(self) -> PlanDecisions: ...
    @property
    def remote_checks(self) -> RemoteChecks: ...
    @property
    def late(self) -> LatePublications: ...
    @property
    def prechecks(self) -> Prechecks: ...
    @property
    def failures(self) -> Failures: ...
    @property
    def results(self) -> Results: ...


class Changing(Reading, Protocol):
    """One transaction; what is not committed is undone.

    Whoever locks channels and posts locks the channels first, so that nobody waits in a circle.
    """

    @property
    def history(self) -> History: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def post_events(self) -> PostEvents: ...
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """What is stored inside it is undone if it is left by an error, and nothing else. Events
        are told behind it."""

    async def commit(self) -> None:
        """Makes everything so far lasting, and lets the events go."""


class Store(Protocol):
    """Where everything of the scheduler is kept."""

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """For reads."""

    def changing(self) -> AbstractAsyncContextManager[Changing]:
        """For changes."""
