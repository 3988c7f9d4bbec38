"""Looking for words in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, cast, func, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.facts import ItemFilter
from services.clustering.domain.item import Item
from services.clustering.repository.arrays import among
from services.clustering.repository.items import LIVE, standing, to_item
from services.clustering.tables import items


class WordRepository:
    """See ports.Words."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(
        self,
        scope: str,
        words: Sequence[str],
        chosen: ItemFilter,
        min_score: float | None,
        limit: int,
    ) -> list[tuple[Item, float, tuple[str, ...]]]:
        if not words:
            return []
        written = [items.c.prose.op("@@")(_query(word)) for word in words]
        count = sum((cast(there, Integer) for there in written[1:]), cast(written[0], Integer))
        score = cast(count, items.c.quality.type) / len(words)
        statement = (
            standing(None)
            .add_columns(
                score.label("score"),
                *(there.label(f"word{place}") for place, there in enumerate(written)),
            )
            .where(items.c.scope == scope, LIVE, or_(*written), *_conditions(chosen))
            .order_by(score.desc(), items.c.point_id)
            .limit(limit)
        )
        if min_score is not None:
            statement = statement.where(score >= min_score)
        return [
            (
                to_item(row),
                row.score,
                tuple(w for place, w in enumerate(words) if getattr(row, f"word{place}")),
            )
            for row in await self._connection.execute(statement)
        ]


def _query(word: str) -> ColumnElement[Any]:
    """The word itself, what begins with it, and what has the same root in English."""
    begins = func.to_tsquery("simple", f"{word}:*")
    return begins.op("||")(func.plainto_tsquery("english", word))


def _conditions(chosen: ItemFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.pillars:
        found.append(among(items.c.pillar, chosen.pillars))
    if chosen.all_tags:
        found.append(items.c.tags.contains(list(chosen.all_tags)))
    if chosen.any_tags:
        found.append(items.c.tags.overlap(list(chosen.any_tags)))
    if chosen.usages:
        found.append(among(items.c.usage, [usage.value for usage in chosen.usages]))
    if chosen.from_time is not None:
        found.append(items.c.create_time >= chosen.from_time)
    if chosen.to_time is not None:
        found.append(items.c.create_time < chosen.to_time)
    if chosen.min_quality is not None:
        found.append(items.c.quality >= chosen.min_quality)
    if not chosen.include_archived:
        found.append(~items.c.archived)
    return found
