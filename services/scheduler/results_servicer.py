"""What posts reached, on the wire."""

from typing import Any

import grpc
from colonnade.scheduler.v1 import results_service_pb2 as pb
from colonnade.scheduler.v1.results_service_pb2_grpc import ResultsServiceServicer

from services.scheduler import convert_results
from services.scheduler.usecases.summarize_results import SummarizeResults

Context = grpc.aio.ServicerContext[Any, Any]


class ResultsServicer(ResultsServiceServicer):
    """Serves ``colonnade.scheduler.v1.ResultsService``; see the contract."""

    def __init__(self, summarize: SummarizeResults) -> None:
        self._summarize = summarize

    async def SummarizeResults(
        self, request: pb.SummarizeResultsRequest, context: Context
    ) -> pb.SummarizeResultsResponse:
        """See the contract."""
        summary = await self._summarize(convert_results.comparison_of(request))
        return pb.SummarizeResultsResponse(summary=convert_results.summary_message(summary))
