"""The Points service: writing, searching and reading points."""

from typing import TYPE_CHECKING, Any

import grpc
import qdrant_edge as edge

from libs.embedded.qdrant_edge import convert
from libs.embedded.qdrant_edge.collection import Collection
from libs.embedded.qdrant_edge.errors import Refused, invalid, unsupported
from libs.embedded.qdrant_edge.filters import convert_filter
from libs.embedded.qdrant_edge.store import Store
from libs.vectors.stubs import qdrant

DEFAULT_LIMIT = 10
FIELD_TYPES = {
    qdrant.FieldType.FieldTypeKeyword: edge.PayloadSchemaType.Keyword,
    qdrant.FieldType.FieldTypeInteger: edge.PayloadSchemaType.Integer,
    qdrant.FieldType.FieldTypeFloat: edge.PayloadSchemaType.Float,
}
UNUSED_IN_QUERY = {"prefetch", "lookup_from", "using"}

DONE = qdrant.PointsOperationResponse(
    result=qdrant.UpdateResult(operation_id=0, status=qdrant.UpdateStatus.Completed)
)

if TYPE_CHECKING:
    Base = object
else:
    Base = qdrant.PointsServicer


class Points(Base):
    """Every method raises ``Refused``; ``server`` turns that into the status of the call."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def Upsert(
        self, request: qdrant.UpsertPoints, context: grpc.ServicerContext
    ) -> qdrant.PointsOperationResponse:
        collection = self._store.get(request.collection_name)
        if request.HasField("update_filter"):
            raise unsupported("conditional upserts")
        points = [
            edge.Point(
                convert.point_id(point.id),
                collection.check(convert.dense(point.vectors)),
                convert.payload(point.payload),
            )
            for point in request.points
        ]
        collection.write(edge.UpdateOperation.upsert_points(points))
        return DONE

    def Delete(
        self, request: qdrant.DeletePoints, context: grpc.ServicerContext
    ) -> qdrant.PointsOperationResponse:
        collection = self._store.get(request.collection_name)
        match request.points.WhichOneof("points_selector_one_of"):
            case "points":
                ids = convert.point_ids(request.points.points.ids)
                operation = edge.UpdateOperation.delete_points(ids)
            case "filter":
                chosen = convert_filter(request.points.filter)
                operation = edge.UpdateOperation.delete_points_by_filter(chosen)
            case _:
                raise invalid("points: say which, by ids or by a filter")
        collection.write(operation)
        return DONE

    def SetPayload(
        self, request: qdrant.SetPayloadPoints, context: grpc.ServicerContext
    ) -> qdrant.PointsOperationResponse:
        collection = self._store.get(request.collection_name)
        payload = convert.payload(request.payload)
        match request.points_selector.WhichOneof("points_selector_one_of"):
            case "points":
                ids = convert.point_ids(request.points_selector.points.ids)
                operation = edge.UpdateOperation.set_payload(ids, payload)
            case "filter":
                chosen = convert_filter(request.points_selector.filter)
                operation = edge.UpdateOperation.set_payload_by_filter(chosen, payload)
            case _:
                raise invalid("points_selector: say which, by ids or by a filter")
        collection.write(operation)
        return DONE

    def CreateFieldIndex(
        self, request: qdrant.CreateFieldIndexCollection, context: grpc.ServicerContext
    ) -> qdrant.PointsOperationResponse:
        kind = FIELD_TYPES.get(request.field_type)
        if kind is None:
            raise unsupported(f"an index of type {request.field_type}")
        operation = edge.UpdateOperation.create_field_index(request.field_name, kind)
        self._store.get(request.collection_name).write(operation)
        return DONE

    def Get(self, request: qdrant.GetPoints, context: grpc.ServicerContext) -> qdrant.GetResponse:
        ids = convert.point_ids(request.ids)
        payload = convert.with_payload(request.with_payload, default=True)
        vectors = convert.with_vectors(request.with_vectors)
        collection = self._store.get(request.collection_name)
        records = collection.read(lambda shard: shard.retrieve(ids, payload, vectors))
        return qdrant.GetResponse(result=map(convert.record_message, records))

    def Query(
        self, request: qdrant.QueryPoints, context: grpc.ServicerContext
    ) -> qdrant.QueryResponse:
        collection = self._store.get(request.collection_name)
        query = _query(collection, request)
        points = collection.read(lambda shard: shard.query(query))
        return qdrant.QueryResponse(result=map(convert.scored_message, points))

    def QueryBatch(
        self, request: qdrant.QueryBatchPoints, context: grpc.ServicerContext
    ) -> qdrant.QueryBatchResponse:
        collection = self._store.get(request.collection_name)
        batch = edge.QueryBatchRequest([_query(collection, one) for one in request.query_points])
        answers = collection.read(lambda shard: shard.query_batch(batch))
        return qdrant.QueryBatchResponse(
            result=[
                qdrant.BatchResult(result=map(convert.scored_message, points)) for points in answers
            ]
        )

    def Scroll(
        self, request: qdrant.ScrollPoints, context: grpc.ServicerContext
    ) -> qdrant.ScrollResponse:
        if request.HasField("order_by"):
            raise unsupported("scrolling in another order")
        scroll = edge.ScrollRequest(
            offset=convert.point_id(request.offset) if request.HasField("offset") else None,
            limit=request.limit if request.HasField("limit") else DEFAULT_LIMIT,
            filter=convert_filter(request.filter),
            with_payload=convert.with_payload(request.with_payload, default=True),
            with_vector=convert.with_vectors(request.with_vectors),
        )
        collection = self._store.get(request.collection_name)
        records, following = collection.read(lambda shard: shard.scroll(scroll))
        return qdrant.ScrollResponse(
            result=map(convert.record_message, records),
            next_page_offset=None if following is None else convert.id_message(following),
        )

    def Count(
        self, request: qdrant.CountPoints, context: grpc.ServicerContext
    ) -> qdrant.CountResponse:
        exact = request.exact if request.HasField("exact") else True
        question = edge.CountRequest(exact=exact, filter=convert_filter(request.filter))
        count = self._store.get(request.collection_name).read(lambda shard: shard.count(question))
        return qdrant.CountResponse(result=qdrant.CountResult(count=count))


def _query(collection: Collection, request: qdrant.QueryPoints) -> edge.QueryRequest:
    """Nearest neighbours of a vector or of a point, which is then not its own neighbour."""
    given = {field.name for field, _ in request.ListFields()}
    if extra := given & UNUSED_IN_QUERY:
        raise unsupported(f"{', '.join(sorted(extra))} in a query")
    if request.query.WhichOneof("variant") != "nearest":
        raise unsupported("queries other than the nearest neighbours")
    nearest = request.query.nearest
    chosen = convert_filter(request.filter)
    match nearest.WhichOneof("variant"):
        case "dense":
            vector = collection.check(nearest.dense.data[:])
        case "id":
            own = convert.point_id(nearest.id)
            vector = _vector_of(collection, own)
            chosen = edge.Filter(must=[chosen], must_not=[edge.HasIdCondition({own})])
        case _:
            raise unsupported("queries by anything but a dense vector or the id of a point")
    return edge.QueryRequest(
        query=edge.Query.Nearest(vector),
        limit=request.limit if request.HasField("limit") else DEFAULT_LIMIT,
        offset=request.offset,
        filter=chosen,
        score_threshold=request.score_threshold if request.HasField("score_threshold") else None,
        with_payload=convert.with_payload(request.with_payload, default=False),
        with_vector=convert.with_vectors(request.with_vectors),
        params=edge.SearchParams(exact=request.params.exact),
    )


def _vector_of(collection: Collection, point: convert.PointId) -> Any:
    records = collection.read(lambda shard: shard.retrieve([point], False, True))
    if not records:
        raise Refused(grpc.StatusCode.NOT_FOUND, f"No point with id {point} found")
    return records[0].vector
