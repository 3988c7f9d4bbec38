"""The planner on the wire."""

from typing import Any

import grpc
from colonnade.scheduler.v1 import plan_pb2
from colonnade.scheduler.v1 import planner_service_pb2 as pb
from colonnade.scheduler.v1.planner_service_pb2_grpc import PlannerServiceServicer
from google.api.httpbody_pb2 import HttpBody

from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.scheduler import convert, convert_plans
from services.scheduler.domain.names import persona_id, plan_decision_key
from services.scheduler.usecases.calendar_export import CALENDAR_TYPE, ExportCalendar
from services.scheduler.usecases.plan_calendar import PlanCalendar

Context = grpc.aio.ServicerContext[Any, Any]


class PlannerServicer(PlannerServiceServicer):
    """Serves ``colonnade.scheduler.v1.PlannerService``; see the contract."""

    def __init__(self, plans: PlanCalendar, export: ExportCalendar, tokens: PageTokens) -> None:
        self._plans = plans
        self._export = export
        self._tokens = tokens

    async def PreviewPlan(
        self, request: pb.PreviewPlanRequest, context: Context
    ) -> pb.PreviewPlanResponse:
        """See the contract."""
        options = convert_plans.options_of(request.options)
        plan = await self._plans.preview(persona_id(request.parent), options)
        return pb.PreviewPlanResponse(plan=convert_plans.plan_message(plan))

    async def CommitPlan(
        self, request: pb.CommitPlanRequest, context: Context
    ) -> pb.CommitPlanResponse:
        """See the contract."""
        wanted = convert_plans.wanted_of(request)
        results = await self._plans.commit(wanted, request_of(request, "CommitPlan"))
        return pb.CommitPlanResponse(results=[convert.result_message(r) for r in results])

    async def GetPlanDecision(
        self, request: pb.GetPlanDecisionRequest, context: Context
    ) -> plan_pb2.PlanDecision:
        """See the contract."""
        record = await self._plans.decision(plan_decision_key(request.name))
        return convert_plans.record_message(record)

    async def ListPlanDecisions(
        self, request: pb.ListPlanDecisionsRequest, context: Context
    ) -> pb.ListPlanDecisionsResponse:
        """See the contract."""
        listing = ("ListPlanDecisions", request.parent)
        asked = self._tokens.request(request.page_size, request.page_token, *listing)
        page = await self._plans.decisions(persona_id(request.parent), asked)
        return pb.ListPlanDecisionsResponse(
            plan_decisions=map(convert_plans.record_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def ExportCalendar(self, request: pb.ExportCalendarRequest, context: Context) -> HttpBody:
        """See the contract."""
        calendar = await self._export(persona_id(request.parent))
        return HttpBody(content_type=CALENDAR_TYPE, data=calendar.encode())
