"""The gRPC face of the analysis of images."""

from collections.abc import Iterator
from typing import Any

from colonnade.embedding.v1 import analysis_service_pb2 as api
from colonnade.embedding.v1.analysis_service_pb2_grpc import AnalysisServiceServicer
from colonnade.embedding.v1.embedding_service_pb2 import PerceptualHash
from colonnade.embedding.v1.operation_pb2 import Operation as OperationMessage

from libs import image_hash
from libs.errors import ColonnadeError
from libs.names import pattern
from libs.rpc.paging import PageTokens
from libs.rpc.status import to_status
from services.embedding import convert
from services.embedding.analyst import Analyst, Result, Skipped, Task
from services.embedding.metrics import EmbeddingMetrics
from services.embedding.model import Embedding
from services.embedding.operations import EMBEDDING, OPTIONAL, Report
from services.embedding.regions import WHOLE, Region
from services.embedding.sources import Sources

_OPERATION = pattern("operations/{operation}")
_METHOD = "ListOperations"


class AnalysisServicer(AnalysisServiceServicer):
    """Parses, has the tasks done, converts."""

    def __init__(
        self, analyst: Analyst, sources: Sources, tokens: PageTokens, metrics: EmbeddingMetrics
    ) -> None:
        self._analyst = analyst
        self._sources = sources
        self._tokens = tokens
        self._metrics = metrics

    async def ListOperations(
        self, request: api.ListOperationsRequest, context: Any
    ) -> api.ListOperationsResponse:
        page = self._tokens.request(request.page_size, request.page_token, _METHOD)
        following = [
            message
            for message in sorted(self._operations(), key=lambda message: message.name)
            if page.after is None or (message.name,) > page.after
        ]
        shown = following[: page.size]
        next_key = (shown[-1].name,) if len(following) > page.size else None
        return api.ListOperationsResponse(
            operations=shown, next_page_token=self._tokens.token(next_key, _METHOD)
        )

    async def AnalyzeImages(
        self, request: api.AnalyzeImagesRequest, context: Any
    ) -> api.AnalyzeImagesResponse:
        turn = convert.turn_of(request.purpose, request.fair_share_key)
        tasks = [self._task(task) for task in request.tasks]
        results = await self._analyst.analyse(tasks, turn)
        for result in results:
            self._metrics.result(result.outcome)
        return api.AnalyzeImagesResponse(results=map(_result, results))

    def _task(self, task: api.AnalysisTask) -> Task:
        region = _region(task.region) if task.HasField("region") else WHOLE
        return Task(
            id=task.id,
            operation=_OPERATION.parse(task.operation, "operation")[0],
            source=self._sources.of(task.image),
            region=region.widened() if task.include_context else region,
            crops=task.return_crops,
            model=convert.asked_model(task.model),
        )

    def _operations(self) -> Iterator[OperationMessage]:
        yield OperationMessage(
            name=_OPERATION.format(EMBEDDING),
            description="Embeds the image, or a part of it, with a model for images.",
            state=OperationMessage.STATE_AVAILABLE,
        )
        for id, operation in self._analyst.operations.items():
            yield OperationMessage(
                name=_OPERATION.format(id),
                description=operation.description,
                state=OperationMessage.STATE_AVAILABLE,
                implementation=operation.implementation,
                labels=operation.labels,
            )
        for id, description in OPTIONAL.items():
            if id not in self._analyst.operations:
                yield OperationMessage(
                    name=_OPERATION.format(id),
                    description=description,
                    state=OperationMessage.STATE_NOT_INSTALLED,
                )


def _region(box: api.BoundingBox) -> Region:
    return Region(box.left, box.top, box.right, box.bottom)


def _box(region: Region) -> api.BoundingBox:
    return api.BoundingBox(
        left=region.left, top=region.top, right=region.right, bottom=region.bottom
    )


def _result(result: Result) -> api.AnalysisResult:
    task, outcome = result.task, result.outcome
    message = api.AnalysisResult(
        id=task.id,
        operation=_OPERATION.format(task.operation),
        outcome=api.AnalysisResult.OUTCOME_SUCCESS,
        implementation=result.implementation,
        crop=result.crop,
        region=None if task.region == WHOLE else _box(task.region),
    )
    if isinstance(outcome, ColonnadeError):
        message.outcome = api.AnalysisResult.OUTCOME_ERROR
        message.error.CopyFrom(to_status(outcome))
    elif isinstance(outcome, Skipped):
        message.outcome = api.AnalysisResult.OUTCOME_SKIPPED
        message.skip_reason, message.skip_message = outcome.reason, outcome.message
    elif isinstance(outcome, Embedding):
        message.embedding.CopyFrom(convert.embedding_message(outcome))
    else:
        _report(message, outcome, result.crops)
    return message


def _report(message: api.AnalysisResult, report: Report, crops: tuple[bytes, ...]) -> None:
    message.measures.update(report.measures)
    if report.hash:
        message.perceptual_hash.CopyFrom(
            PerceptualHash(algorithm=image_hash.ALGORITHM, bits=report.hash)
        )
    for place, finding in enumerate(report.findings):
        message.findings.add(
            label=finding.label,
            score=finding.score,
            region=_box(finding.region) if finding.region else None,
            crop=crops[place] if crops else b"",
        )
