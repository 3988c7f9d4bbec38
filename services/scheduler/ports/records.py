"""What was handled, what happened, and who is told."""

from collections.abc import Sequence
from typing import Protocol

from libs.errors import ColonnadeError
from services.scheduler.domain.post import Post, PostResult, PostState
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.remote_check import RemoteCheck


class Inbox(Protocol):
    """The events that were handled."""

    async def first_time(self, event_id: str, consumer: str) -> bool:
        """Whether the event is new; from now on it is not."""


class History(Protocol):
    """The log of what happened to posts and publications."""

    async def post_moved(self, post: Post, was: PostState | None) -> None:
        """A post is in a new state; ``was`` is None for a new post."""

    async def publication_moved(self, publication: Publication, was: PublicationState) -> None:
        """A publication is in a new state."""

    async def drifted(self, publication: Publication, check: RemoteCheck) -> None:
        """A publication that is out was found otherwise at its provider than before."""


class Requests(Protocol):
    """The requests that were served."""

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None:
        """None for whoever is first; else the result. Raises AlreadyExists for another request."""

    async def record(self, request_id: str, result: str) -> None:
        """Keeps the result of the request."""


class PostEvents(Protocol):
    """What the world is told once the transaction is committed."""

    def changed(self, post: Post) -> None:
        """A post is in a new state."""


class ResultLog(Protocol):
    """Keeps what became of a batch for whoever asks for it again."""

    def write(self, results: Sequence[PostResult]) -> str:
        """The results as a text; of each post its name."""

    def read(self, text: str) -> Sequence[tuple[str, str | ColonnadeError]]:
        """What ``write`` was given: each photo with the name of its post, or its error."""
