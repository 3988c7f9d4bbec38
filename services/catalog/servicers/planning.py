"""The gRPC face of planning: gap reports, previews, suggestions, runs, campaigns, templates."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any

import grpc
from colonnade.catalog.v1 import (
    campaign_pb2,
    gap_report_pb2,
    pillar_template_pb2,
    run_pb2,
    suggestion_pb2,
)
from colonnade.catalog.v1 import planning_service_pb2 as pb
from colonnade.catalog.v1.planning_service_pb2_grpc import PlanningServiceServicer
from google.protobuf.empty_pb2 import Empty

from libs.clock import Clock
from libs.ids import uuid7
from libs.rpc.masks import merged
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.catalog import planning_filters
from services.catalog.convert import campaigns, gaps, runs, suggestions, templates, whatif
from services.catalog.convert.values import moment
from services.catalog.domain.names import (
    campaign_key,
    gap_report_key,
    persona_id,
    run_key,
    suggestion_batch_key,
    suggestion_key,
    template_id,
)
from services.catalog.domain.suggestion import Brief, Suggestion
from services.catalog.ports import Listing
from services.catalog.usecases.all import UseCases

Context = grpc.aio.ServicerContext[Any, Any]

_LOOK_EVERY = 0.2


class PlanningServicer(PlanningServiceServicer):
    """``colonnade.catalog.v1.PlanningService``."""

    def __init__(
        self,
        cases: UseCases,
        tokens: PageTokens,
        clock: Clock,
        *,
        is_stopping: Callable[[], bool],
        heartbeat: float = 15.0,
    ) -> None:
        self._cases = cases
        self._tokens = tokens
        self._clock = clock
        self._is_stopping = is_stopping
        self._heartbeat = heartbeat

    async def GetGapReport(
        self, request: pb.GetGapReportRequest, context: Context
    ) -> gap_report_pb2.GapReport:
        return gaps.report_message(await self._cases.gaps.get(gap_report_key(request.name)))

    async def ListGapReports(
        self, request: pb.ListGapReportsRequest, context: Context
    ) -> pb.ListGapReportsResponse:
        listing = ("ListGapReports", request.parent)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        page = await self._cases.gaps.page(persona, Listing(wanted, descending=True))
        return pb.ListGapReportsResponse(
            gap_reports=map(gaps.report_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def PreviewGaps(
        self, request: pb.PreviewGapsRequest, context: Context
    ) -> pb.PreviewGapsResponse:
        persona = persona_id(request.parent, "parent")
        as_of = moment(request, "as_of_time", "as_of_time")
        change = whatif.change_of(request, persona)
        preview = await self._cases.gaps.preview(persona, as_of, request.horizon_days, change)
        return whatif.preview_message(preview, request.cost_per_photo)

    async def CreateSuggestionBatch(
        self, request: pb.CreateSuggestionBatchRequest, context: Context
    ) -> suggestion_pb2.SuggestionBatch:
        persona = persona_id(request.parent, "parent")
        wanted = request.suggestion_batch
        pillars = suggestions.pillars_of(persona, wanted.pillars)
        key = request_of(request, "CreateSuggestionBatch")
        batch = await self._cases.suggestions.create_batch(persona, wanted.count, pillars, key)
        return suggestions.batch_message(batch)

    async def GetSuggestionBatch(
        self, request: pb.GetSuggestionBatchRequest, context: Context
    ) -> suggestion_pb2.SuggestionBatch:
        batch = await self._cases.suggestions.batch(suggestion_batch_key(request.name))
        return suggestions.batch_message(batch)

    async def ListSuggestionBatches(
        self, request: pb.ListSuggestionBatchesRequest, context: Context
    ) -> pb.ListSuggestionBatchesResponse:
        listing = ("ListSuggestionBatches", request.parent)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        page = await self._cases.suggestions.batches(persona, Listing(wanted, descending=True))
        return pb.ListSuggestionBatchesResponse(
            suggestion_batches=map(suggestions.batch_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def WatchSuggestionBatch(
        self, request: pb.WatchSuggestionBatchRequest, context: Context
    ) -> AsyncIterator[pb.WatchSuggestionBatchResponse]:
        key = suggestion_batch_key(request.name)
        shown, rank, last = None, 0, 0.0
        while True:
            batch, new = await self._cases.suggestions.progress(key, rank)
            for suggestion in new:
                shown, rank, last = batch, suggestion.rank, monotonic()
                yield suggestions.progress_message(batch, suggestion)
            if batch != shown or monotonic() - last >= self._heartbeat:
                shown, last = batch, monotonic()
                yield suggestions.progress_message(batch)
            # A watcher comes back after a restart; waiting for it would hold the restart up.
            if batch.ended or self._is_stopping():
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def GetSuggestion(
        self, request: pb.GetSuggestionRequest, context: Context
    ) -> suggestion_pb2.Suggestion:
        found = await self._cases.suggestions.get(suggestion_key(request.name))
        return suggestions.suggestion_message(found)

    async def ListSuggestions(
        self, request: pb.ListSuggestionsRequest, context: Context
    ) -> pb.ListSuggestionsResponse:
        listing = ("ListSuggestions", request.parent, request.filter)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        conditions = planning_filters.suggestion_conditions(request.filter, persona)
        page = await self._cases.suggestions.page(persona, Listing(wanted, conditions, True))
        return pb.ListSuggestionsResponse(
            suggestions=map(suggestions.suggestion_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def UpdateSuggestion(
        self, request: pb.UpdateSuggestionRequest, context: Context
    ) -> suggestion_pb2.Suggestion:
        def change(suggestion: Suggestion) -> Brief:
            current = suggestions.suggestion_message(suggestion)
            return suggestions.brief_of(
                merged(current, request.suggestion, request.update_mask, "suggestion")
            )

        name = suggestion_key(request.suggestion.name, "suggestion.name")
        key = request_of(request, "UpdateSuggestion")
        etag = request.suggestion.etag
        return suggestions.suggestion_message(
            await self._cases.suggestions.update(name, change, etag, key)
        )

    async def AcceptSuggestion(
        self, request: pb.AcceptSuggestionRequest, context: Context
    ) -> pb.AcceptSuggestionResponse:
        key = request_of(request, "AcceptSuggestion")
        name = suggestion_key(request.name)
        suggestion, run = await self._cases.suggestions.accept(name, request.etag, key)
        return pb.AcceptSuggestionResponse(
            suggestion=suggestions.suggestion_message(suggestion), run=runs.run_message(run)
        )

    async def RejectSuggestion(
        self, request: pb.RejectSuggestionRequest, context: Context
    ) -> pb.RejectSuggestionResponse:
        key = request_of(request, "RejectSuggestion")
        name = suggestion_key(request.name)
        suggestion = await self._cases.suggestions.reject(name, request.reason, request.etag, key)
        message = suggestions.suggestion_message(suggestion)
        return pb.RejectSuggestionResponse(suggestion=message)

    async def DeleteSuggestion(
        self, request: pb.DeleteSuggestionRequest, context: Context
    ) -> Empty:
        key = request_of(request, "DeleteSuggestion")
        await self._cases.suggestions.delete(suggestion_key(request.name), request.etag, key)
        return Empty()

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> run_pb2.Run:
        return runs.run_message(await self._cases.runs.get(run_key(request.name)))

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        listing = ("ListRuns", request.parent, request.filter)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        conditions = planning_filters.run_conditions(request.filter, persona)
        page = await self._cases.runs.page(persona, Listing(wanted, conditions, True))
        return pb.ListRunsResponse(
            runs=map(runs.run_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def ImportCampaign(
        self, request: pb.ImportCampaignRequest, context: Context
    ) -> pb.ImportCampaignResponse:
        persona = persona_id(request.parent, "parent")
        new = campaigns.new_campaign(request.campaign, persona, uuid7(), self._clock.now())
        key = request_of(request, "ImportCampaign")
        flags = (request.create_missing_pillars, request.validate_only)
        done = await self._cases.campaigns.import_(new, *flags, key)
        return pb.ImportCampaignResponse(campaign=campaigns.campaign_message(done))

    async def GetCampaign(
        self, request: pb.GetCampaignRequest, context: Context
    ) -> campaign_pb2.Campaign:
        found = await self._cases.campaigns.get(campaign_key(request.name))
        return campaigns.campaign_message(found)

    async def ListCampaigns(
        self, request: pb.ListCampaignsRequest, context: Context
    ) -> pb.ListCampaignsResponse:
        listing = ("ListCampaigns", request.parent)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        page = await self._cases.campaigns.page(persona, Listing(wanted, descending=True))
        return pb.ListCampaignsResponse(
            campaigns=map(campaigns.campaign_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def ListPillarTemplates(
        self, request: pb.ListPillarTemplatesRequest, context: Context
    ) -> pb.ListPillarTemplatesResponse:
        listing = ("ListPillarTemplates",)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        page = self._cases.templates.page(wanted)
        return pb.ListPillarTemplatesResponse(
            pillar_templates=map(templates.template_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def GetPillarTemplate(
        self, request: pb.GetPillarTemplateRequest, context: Context
    ) -> pillar_template_pb2.PillarTemplate:
        return templates.template_message(self._cases.templates.get(template_id(request.name)))

    async def ApplyPillarTemplate(
        self, request: pb.ApplyPillarTemplateRequest, context: Context
    ) -> pb.ApplyPillarTemplateResponse:
        template = template_id(request.pillar_template, "pillar_template")
        persona = persona_id(request.parent, "parent")
        skip = request.mode == pb.ApplyPillarTemplateRequest.MODE_SKIP_EXISTING
        key = request_of(request, "ApplyPillarTemplate")
        applied = await self._cases.templates.apply(template, persona, skip, key)
        return templates.applied_message(applied)
