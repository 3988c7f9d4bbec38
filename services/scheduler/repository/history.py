"""The log of what happened to posts and publications, in PostgreSQL."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from services.scheduler.domain.post import Post, PostState
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.remote_check import RemoteCheck
from services.scheduler.repository.statements import insert_of
from services.scheduler.tables import POST_EVENTS


class HistoryRepository:
    """See ``ports.History``."""

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def post_moved(self, post: Post, was: PostState | None) -> None:
        """See History."""
        await self._add(post_id=post.id, from_state=was or "", to_state=post.state)

    async def publication_moved(self, publication: Publication, was: PublicationState) -> None:
        """See History."""
        problem = publication.problem
        await self._add(
            post_id=publication.post,
            publication_id=publication.id,
            from_state=was,
            to_state=publication.state,
            reason=problem.reason if problem else "",
            message=publication.state_reason or (problem.message if problem else ""),
        )

    async def drifted(self, publication: Publication, check: RemoteCheck) -> None:
        """See History."""
        await self._add(
            post_id=publication.post,
            publication_id=publication.id,
            from_state=publication.state,
            to_state=publication.state,
            reason=f"REMOTE_{check.state.upper()}",
            message=check.text,
        )

    async def _add(self, **values: object) -> None:
        row = {**values, "create_time": self._clock.now()}
        await self._connection.execute(insert_of(POST_EVENTS, tuple(row)), row)
