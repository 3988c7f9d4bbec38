"""The gRPC face of planning: gap reports, previews, suggestions, runs, campaigns, templates."""

from typing import Any

import grpc
from colonnade.catalog.v1 import gap_report_pb2
from colonnade.catalog.v1 import planning_service_pb2 as pb
from colonnade.catalog.v1.planning_service_pb2_grpc import PlanningServiceServicer

from libs.clock import Clock
from libs.rpc.paging import PageTokens
from services.catalog.convert import gaps, whatif
from services.catalog.convert.values import moment
from services.catalog.domain.names import gap_report_key, persona_id
from services.catalog.ports import Listing
from services.catalog.usecases.all import UseCases

Context = grpc.aio.ServicerContext[Any, Any]


class PlanningServicer(PlanningServiceServicer):
    """``colonnade.catalog.v1.PlanningService``."""

    def __init__(self, cases: UseCases, tokens: PageTokens, clock: Clock) -> None:
        self._cases = cases
        self._tokens = tokens
        self._clock = clock

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
