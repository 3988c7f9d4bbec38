"""Searches between the domain and the contract."""

from datetime import UTC

from colonnade.clustering.v1 import search_service_pb2 as api

from libs.errors import InvalidArgument
from services.clustering.convert import vector_of
from services.clustering.domain.facts import ItemFilter, Usage, query_words
from services.clustering.domain.ranking import Ranked
from services.clustering.usecases.searching import (
    Found,
    ItemQuery,
    Query,
    TextQuery,
    VectorQuery,
    Wishes,
)


def query_of(request: api.SearchItemsRequest) -> Query:
    """What is looked for. Raises InvalidArgument."""
    match request.WhichOneof("query"):
        case "item":
            return ItemQuery(request.item, request.include_self)
        case "vector":
            given = request.vector
            vector = vector_of(given.vector)
            return VectorQuery(vector, given.model, given.revision, given.fingerprint)
    if not query_words(request.text):
        raise InvalidArgument.of("text", "has no word in it")
    return TextQuery(request.text)


def wishes_of(request: api.SearchItemsRequest) -> Wishes:
    """What else is wanted. Raises InvalidArgument."""
    return Wishes(
        _filter(request.filter),
        request.min_score if request.HasField("min_score") else None,
        request.diversity,
        request.one_per_scene,
    )


def answer_message(found: Found, token: str) -> api.SearchItemsResponse:
    """What was found, and the token of the next page."""
    matched_by = api.MATCHED_BY_WORDS if found.by_words else api.MATCHED_BY_PICTURE
    collection = found.generation.collection if found.generation else None
    return api.SearchItemsResponse(
        hits=[_hit(hit, matched_by) for hit in found.hits],
        next_page_token=token,
        matched_by=matched_by,
        generation=found.generation.name if found.generation else "",
        model=collection.model if collection else "",
        dimension=collection.dimension if collection else 0,
    )


def _hit(hit: Ranked, matched_by: "api.MatchedBy.ValueType") -> api.SearchHit:
    return api.SearchHit(
        item=hit.item.name,
        score=hit.score,
        matched_by=matched_by,
        words=hit.words,
        scene=hit.item.scene,
    )


def _filter(message: api.ItemFilter) -> ItemFilter:
    from_time = message.from_time.ToDatetime(UTC) if message.HasField("from_time") else None
    to_time = message.to_time.ToDatetime(UTC) if message.HasField("to_time") else None
    if from_time is not None and to_time is not None and to_time <= from_time:
        raise InvalidArgument.of("filter.to_time", "must be later than from_time")
    return ItemFilter(
        pillars=tuple(message.pillars),
        all_tags=tuple(message.all_tags),
        any_tags=tuple(message.any_tags),
        usages=tuple(_usage(value) for value in message.usages),
        from_time=from_time,
        to_time=to_time,
        min_quality=message.min_quality if message.HasField("min_quality") else None,
        include_archived=message.include_archived,
    )


def _usage(value: "api.ItemFilter.Usage.ValueType") -> Usage:
    return Usage(api.ItemFilter.Usage.Name(value).removeprefix("USAGE_").lower())
