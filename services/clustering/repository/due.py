"""The scopes in which a clustering run is due, in PostgreSQL."""

from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.run import ACTIVE, Trigger
from services.clustering.tables import SCHEMA, runs

_IDLE = f"""
    NOT EXISTS (
        SELECT FROM {SCHEMA}.runs AS run
        WHERE run.scope = due.scope AND run.state IN ('queued', 'running', 'cancelling')
    )
"""
_MADE_SINCE = f"""
    EXISTS (
        SELECT FROM {SCHEMA}.runs AS run
        WHERE run.scope = due.scope AND run.create_time > :since
        AND (run.trigger = 'generation' OR NOT :generation)
    )
"""
# From scope to scope through the index, however many items wait in each.
_WAITING = text(f"""
    WITH RECURSIVE place (collection, scope) AS (
        SELECT c.name, (
            SELECT min(v.scope) FROM {SCHEMA}.item_vectors AS v
            WHERE v.collection = c.name AND v.state = 'ready' AND NOT v.grouped
        )
        FROM {SCHEMA}.collections AS c WHERE c.state = 'active'
        UNION ALL
        SELECT place.collection, (
            SELECT min(v.scope) FROM {SCHEMA}.item_vectors AS v
            WHERE v.collection = place.collection AND v.scope > place.scope
            AND v.state = 'ready' AND NOT v.grouped
        )
        FROM place WHERE place.scope IS NOT NULL
    ), due (scope, moment) AS (
        SELECT place.scope, (
            SELECT i.create_time FROM {SCHEMA}.item_vectors AS v
            JOIN {SCHEMA}.items AS i ON i.name = v.item
            WHERE v.collection = place.collection AND v.scope = place.scope
            AND v.state = 'ready' AND NOT v.grouped
            ORDER BY v.item LIMIT 1
        )
        FROM place WHERE place.scope IS NOT NULL
        UNION ALL
        SELECT DISTINCT departure.scope, CAST(NULL AS timestamptz)
        FROM {SCHEMA}.departures AS departure
    )
    SELECT due.scope FROM due
    WHERE coalesce(due.moment <= :since, true) AND {_IDLE} AND NOT {_MADE_SINCE}
    GROUP BY due.scope ORDER BY min(due.moment) NULLS LAST, due.scope LIMIT :limit
""")
# Most of the vectors have to be there, or the clusters would lose what is still waiting for its.
_OUTDATED = text(f"""
    SELECT due.scope FROM {SCHEMA}.scopes AS due
    JOIN {SCHEMA}.collections AS c ON c.state = 'active' AND c.modality =
        CASE WHEN due.scope LIKE 'projects/%' THEN 'texts' ELSE 'photos' END
    WHERE due.version > 0 AND due.collection NOT IN ('', c.name)
    AND {_IDLE} AND NOT {_MADE_SINCE}
    AND (
        SELECT count(*) FILTER (WHERE v.state = 'pending') * 20 <= count(*)
        FROM {SCHEMA}.item_vectors AS v WHERE v.collection = c.name AND v.scope = due.scope
    )
    ORDER BY due.scope LIMIT :limit
""")


class DueRepository:
    """See ports.Due."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def active(self) -> int:
        automatic = (Trigger.SCHEDULE, Trigger.GENERATION)
        statement = select(func.count()).where(
            runs.c.state.in_(ACTIVE), runs.c.trigger.in_(automatic)
        )
        return (await self._connection.execute(statement)).scalar_one()

    async def waiting(self, since: datetime, limit: int) -> list[str]:
        values = {"since": since, "limit": limit, "generation": False}
        found = await self._connection.execute(_WAITING, values)
        return [row.scope for row in found]

    async def outdated(self, since: datetime, limit: int) -> list[str]:
        values = {"since": since, "limit": limit, "generation": True}
        found = await self._connection.execute(_OUTDATED, values)
        return [row.scope for row in found]
