"""Suggestions asked for and written, as the service and its worker do it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from colonnade.catalog.v1 import planning_service_pb2 as pb
from colonnade.catalog.v1.suggestion_pb2 import Suggestion, SuggestionBatch

from libs.aio import BlockingPool
from libs.llm.chat import ChatModel
from libs.llm.settings import LanguageModelSettings
from services.catalog.domain.names import suggestion_batch_key
from services.catalog.domain.suggestion import Batch
from services.catalog.usecases.suggesting import Desk, suggest_once, waiting_batches
from tests.integration.catalog.library import Library
from tests.support.llm.stand_in import MODEL, StandIn


@dataclass
class Studio:
    """A catalog with a worker at hand."""

    lib: Library
    pool: BlockingPool
    waits: list[float] = field(default_factory=list)

    async def ask(
        self, persona: str, count: int = 0, pillars: Sequence[str] = (), **fields: Any
    ) -> SuggestionBatch:
        """A new batch that nobody has worked on."""
        wanted = SuggestionBatch(count=count, pillars=pillars)
        request = pb.CreateSuggestionBatchRequest(parent=persona, suggestion_batch=wanted, **fields)
        return await self.lib.planning.CreateSuggestionBatch(request)

    def desk(self, model: ChatModel | None = None, owner: str = "worker") -> Desk:
        """A worker."""
        return Desk(self.lib.catalog, model, self.pool, self.lib.clock, owner, 3)

    async def write(self, batch: SuggestionBatch, model: ChatModel | None = None) -> Batch | None:
        """Has a worker do the batch."""
        return await suggest_once(self.desk(model), suggestion_batch_key(batch.name).id)

    async def waiting(self) -> Sequence[str]:
        """What the sweep finds."""
        return await waiting_batches(self.desk())

    async def get(self, batch: SuggestionBatch) -> SuggestionBatch:
        """The batch as it stands now."""
        return await self.lib.planning.GetSuggestionBatch(
            pb.GetSuggestionBatchRequest(name=batch.name)
        )

    async def of(self, batch: SuggestionBatch) -> list[Suggestion]:
        """The suggestions of a batch, by rank."""
        parent = "/".join(batch.name.split("/")[:2])
        filter = f'suggestion_batch = "{batch.name}"'
        request = pb.ListSuggestionsRequest(parent=parent, filter=filter, page_size=200)
        found = (await self.lib.planning.ListSuggestions(request)).suggestions
        return sorted(found, key=lambda suggestion: suggestion.rank)

    async def made(
        self,
        persona: str,
        count: int = 0,
        pillars: Sequence[str] = (),
        model: ChatModel | None = None,
    ) -> list[Suggestion]:
        """Suggestions, asked for and written."""
        batch = await self.ask(persona, count, pillars)
        await self.write(batch, model)
        return await self.of(batch)

    async def accept(self, suggestion: str, **fields: Any) -> pb.AcceptSuggestionResponse:
        """Accepts a suggestion."""
        request = pb.AcceptSuggestionRequest(name=suggestion, **fields)
        return await self.lib.planning.AcceptSuggestion(request)

    async def reject(self, suggestion: str, reason: str = "", **fields: Any) -> Suggestion:
        """Turns a suggestion down."""
        request = pb.RejectSuggestionRequest(name=suggestion, reason=reason, **fields)
        return (await self.lib.planning.RejectSuggestion(request)).suggestion

    @asynccontextmanager
    async def model(self, stand_in: StandIn, **settings: Any) -> AsyncIterator[ChatModel]:
        """A client of a stand-in that does not really wait between its tries."""

        async def note(seconds: float) -> None:
            self.waits.append(seconds)

        given = {"base_url": stand_in.url, "model": MODEL, "timeout": 600.0, **settings}
        async with ChatModel(LanguageModelSettings.model_validate(given), sleep=note) as model:
            yield model
