"""The personas, pillars and stocks of a catalog in memory, for use cases that need no database."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.catalog.domain.gaps import GapReport
from services.catalog.domain.names import Key, no_persona, no_pillar
from services.catalog.domain.persona import Persona
from services.catalog.domain.pillar import Pillar
from services.catalog.domain.strategy import DEFAULT_POSTS_PER_WEEK, Strategy
from services.catalog.domain.supply import Stock


@dataclass
class MemoryPersonas:
    """As many of ``ports.Personas`` as the use cases under test ask for."""

    rows: dict[str, Persona]

    async def get(self, id: str) -> Persona:
        if id not in self.rows:
            raise no_persona(id)
        return self.rows[id]

    async def locked(self, id: str) -> Persona:
        return await self.get(id)

    async def save(self, persona: Persona) -> None:
        self.rows[persona.id] = persona


@dataclass
class MemoryPillars:
    """As many of ``ports.Pillars`` as the use cases under test ask for."""

    personas: MemoryPersonas
    rows: dict[Key, Pillar]

    async def get(self, key: Key) -> Pillar:
        if key not in self.rows:
            raise no_pillar(*key)
        return self.rows[key]

    async def add(self, pillar: Pillar) -> None:
        self.rows[Key(pillar.persona, pillar.id)] = pillar

    async def save(self, pillar: Pillar) -> None:
        await self.add(pillar)

    async def of_persona(self, persona: str) -> Sequence[Pillar]:
        return [pillar for key, pillar in self.rows.items() if key.persona == persona]

    async def weight_beside(self, key: Key, now: datetime) -> int:
        others = await self.of_persona(key.persona)
        return sum(p.weight for p in others if p.id != key.id and p.weighs(now))

    async def strategy(self, persona: str) -> Strategy:
        cadence = (await self.personas.get(persona)).cadence
        in_all = cadence.posts_per_week if cadence else 0
        pillars = tuple(await self.of_persona(persona))
        return Strategy(persona, pillars, in_all or DEFAULT_POSTS_PER_WEEK)

    async def strategy_at(
        self, persona: str, as_of: datetime
    ) -> tuple[Strategy, Mapping[str, int]]:
        return await self.strategy(persona), {}


@dataclass
class MemoryStocks:
    """The stocks that the test has set, whenever they are asked for."""

    rows: Sequence[Stock]

    async def stocks(
        self, persona: str, as_of: datetime, shares_since: datetime
    ) -> Sequence[Stock]:
        return self.rows


@dataclass
class MemoryReports:
    """See ``ports.GapReports``."""

    rows: list[GapReport] = field(default_factory=list)

    async def add(self, report: GapReport) -> None:
        self.rows.append(report)


class MemoryRequests:
    """Requests without an id: each is the first."""

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None:
        assert not request_id
        return None

    async def record(self, request_id: str, result: str) -> None:
        assert not request_id


class MemoryCatalog:
    """See ``ports.Catalog``. Transactions take effect at once; ``writes`` counts their commits."""

    def __init__(self, strategy: Strategy, persona: Persona, stocks: Sequence[Stock]) -> None:
        self.personas = MemoryPersonas({persona.id: persona})
        rows = {Key(pillar.persona, pillar.id): pillar for pillar in strategy.pillars}
        self.pillars = MemoryPillars(self.personas, rows)
        self.photos = MemoryStocks(stocks)
        self.reports = MemoryReports()
        self.requests = MemoryRequests()
        self.writes = 0

    async def commit(self) -> None:
        self.writes += 1

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        yield self

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Any]:
        yield self


def comparable(report: GapReport) -> GapReport:
    """What a report says, without its name and the moment in which it was made."""
    return replace(report, id="", create_time=report.as_of_time)
