"""Failed publications, in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.publication import PublicationState
from services.scheduler.tables import PUBLICATIONS

_C = PUBLICATIONS.c
_FAILED = (PublicationState.FAILED, PublicationState.MISSED)


class FailureRepository:
    """See ``ports.Failures``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def since(self, at: datetime) -> Mapping[str, int]:
        """See Failures."""
        rows = (
            sa.select(_C.provider, sa.func.count())
            # Spelled as in the index, which no parameter matches.
            .where(_C.state.in_([sa.literal_column(f"'{state}'") for state in _FAILED]))
            .where(_C.end_time >= at)
            .group_by(_C.provider)
        )
        return {row.provider: row[1] for row in await self._connection.execute(rows)}
