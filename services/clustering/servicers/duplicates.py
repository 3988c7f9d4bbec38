"""The gRPC face of finding duplicates."""

from dataclasses import dataclass
from typing import Any

from colonnade.clustering.v1 import duplicate_pb2
from colonnade.clustering.v1 import duplicate_service_pb2 as api
from colonnade.clustering.v1.duplicate_service_pb2_grpc import DuplicateServiceServicer
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from libs.clock import Clock
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from libs.vectors.index import VectorIndex
from services.clustering import duplicate_messages as convert
from services.clustering.domain.duplicate_sets import counts
from services.clustering.domain.verdict import Thresholds, Verdict
from services.clustering.ports import Store
from services.clustering.usecases import duplicates
from services.clustering.usecases.comparing import Eyes


@dataclass(frozen=True, slots=True)
class DuplicateParts:
    """What it works with; ``thresholds`` are those of the installation."""

    store: Store
    index: VectorIndex
    eyes: Eyes
    clock: Clock
    tokens: PageTokens
    thresholds: Thresholds


class DuplicateServicer(DuplicateServiceServicer):
    """Parses, calls a use case, converts."""

    def __init__(self, parts: DuplicateParts) -> None:
        self._parts = parts
        self._store = parts.store

    async def ListDuplicateSets(
        self, request: api.ListDuplicateSetsRequest, context: Any
    ) -> api.ListDuplicateSetsResponse:
        tokens = self._parts.tokens
        listing = ("ListDuplicateSets", _digest(request))
        listed = await duplicates.list_sets(
            self._store,
            request.parent,
            self._thresholds(request.thresholds),
            [convert.verdict_value(verdict) for verdict in request.verdicts],
            tokens.request(request.page_size, request.page_token, *listing),
            reviewed=request.include_reviewed,
        )
        return api.ListDuplicateSetsResponse(
            duplicate_sets=[
                convert.set_message(each, listed, request.parent) for each in listed.sets
            ],
            next_page_token=tokens.token(listed.next_key, *listing),
            thresholds=convert.thresholds_message(listed.thresholds),
            waiting_count=listed.waiting,
        )

    async def GetDuplicateSet(
        self, request: api.GetDuplicateSetRequest, context: Any
    ) -> duplicate_pb2.DuplicateSet:
        scope, _, id = request.name.partition("/duplicateSets/")
        verdict, _, photo = id.partition("-")
        listed = await duplicates.get_set(
            self._store,
            scope,
            Verdict(verdict),
            f"{scope}/photos/{photo}",
            self._thresholds(request.thresholds),
        )
        return convert.set_message(listed.sets[0], listed, scope)

    async def PreviewDuplicates(
        self, request: api.PreviewDuplicatesRequest, context: Any
    ) -> api.PreviewDuplicatesResponse:
        listed = await duplicates.all_sets(
            self._store,
            request.parent,
            self._thresholds(request.thresholds),
            reviewed=request.include_reviewed,
        )
        return api.PreviewDuplicatesResponse(
            counts=convert.counts_messages(counts(listed.sets)),
            thresholds=convert.thresholds_message(listed.thresholds),
            waiting_count=listed.waiting,
        )

    async def GetDuplicatePair(
        self, request: api.GetDuplicatePairRequest, context: Any
    ) -> duplicate_pb2.DuplicatePair:
        scope, _, id = request.name.partition("/duplicatePairs/")
        one, _, other = id.partition("_")
        explained = await duplicates.explain_pair(
            self._store,
            self._parts.index,
            self._parts.eyes,
            scope,
            (f"{scope}/photos/{one}", f"{scope}/photos/{other}"),
            self._thresholds(request.thresholds),
        )
        return convert.pair_message(explained, scope)

    async def ReviewDuplicatePairs(
        self, request: api.ReviewDuplicatePairsRequest, context: Any
    ) -> api.ReviewDuplicatePairsResponse:
        decisions = [
            (each.first, each.second, convert.verdict_value(each.decision))
            for each in request.decisions
        ]
        key = request_of(request, "ReviewDuplicatePairs")
        reviews = await duplicates.review_pairs(
            self._store,
            self._parts.clock,
            request.parent,
            decisions,
            self._parts.thresholds,
            key,
        )
        return api.ReviewDuplicatePairsResponse(
            duplicate_reviews=[convert.review_message(review) for review in reviews]
        )

    async def ListDuplicateReviews(
        self, request: api.ListDuplicateReviewsRequest, context: Any
    ) -> api.ListDuplicateReviewsResponse:
        tokens, listing = self._parts.tokens, ("ListDuplicateReviews", request.parent)
        page = tokens.request(request.page_size, request.page_token, *listing)
        found = await duplicates.list_reviews(self._store, request.parent, page)
        return api.ListDuplicateReviewsResponse(
            duplicate_reviews=[convert.review_message(review) for review in found.rows],
            next_page_token=tokens.token(found.next_key, *listing),
        )

    async def DeleteDuplicateReview(
        self, request: api.DeleteDuplicateReviewRequest, context: Any
    ) -> Empty:
        scope, _, id = request.name.partition("/duplicateReviews/")
        key = request_of(request, "DeleteDuplicateReview")
        await duplicates.delete_review(self._store, scope, id, self._parts.thresholds, key)
        return Empty()

    async def EvaluateDuplicates(
        self, request: api.EvaluateDuplicatesRequest, context: Any
    ) -> api.EvaluateDuplicatesResponse:
        found, thresholds = await duplicates.evaluate(
            self._store, request.parent, self._thresholds(request.thresholds)
        )
        return convert.quality_message(found, thresholds)

    def _thresholds(self, chosen: duplicate_pb2.DuplicateThresholds) -> Thresholds:
        return convert.with_chosen(self._parts.thresholds, chosen)


def _digest(request: api.ListDuplicateSetsRequest) -> str:
    """All of a listing but its page, as a text."""
    content: Message = api.ListDuplicateSetsRequest()
    content.CopyFrom(request)
    content.ClearField("page_token")
    content.ClearField("page_size")
    return content.SerializeToString(deterministic=True).hex()
