"""The vector index on Qdrant's gRPC contract: a real server, or ``libs.embedded.qdrant``.

It speaks through the generated stubs rather than ``AsyncQdrantClient``: see ``libs.vectors.stubs``
for the import times, and a packed numpy row makes an upsert message twenty times faster than the
client's list of Python floats.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import grpc
import numpy as np

from libs.errors import InvalidArgument, NotFound, Unavailable
from libs.rpc.reconnecting import RECONNECTING
from libs.vectors.conditions import (
    filter_message,
    id_messages,
    ids_condition,
    payload_message,
    payload_of,
)
from libs.vectors.index import Floats, Hit, Payload, VectorFilter, VectorPage, VectorPoint
from libs.vectors.packing import check_vectors, dense_message, matrix_of, vector_of
from libs.vectors.stubs import qdrant

LARGEST_MESSAGE = 64 << 20
LARGEST_UPSERT = 4 << 20  # bytes of vectors in one request
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    *RECONNECTING,
)
WITH_PAYLOAD = qdrant.WithPayloadSelector(enable=True)
WITH_VECTORS = qdrant.WithVectorsSelector(enable=True)


@contextmanager
def _our_errors(collection: str) -> Iterator[None]:
    """Failed calls as the errors of ``libs.errors``; what nobody planned for passes through."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        details = error.details() or error.code().name
        match error.code():
            case grpc.StatusCode.NOT_FOUND:
                raise NotFound("collection", collection) from error
            case grpc.StatusCode.INVALID_ARGUMENT:
                raise InvalidArgument(f"the vector index refused the request: {details}") from error
            case (
                grpc.StatusCode.UNAVAILABLE
                | grpc.StatusCode.DEADLINE_EXCEEDED
                | grpc.StatusCode.RESOURCE_EXHAUSTED
                | grpc.StatusCode.UNAUTHENTICATED
                | grpc.StatusCode.PERMISSION_DENIED
            ):
                raise Unavailable(f"the vector index does not answer: {details}") from error
        raise


class QdrantIndex:
    """A ``VectorIndex`` on one Qdrant. Make it inside the running event loop, and close it.

    Args:
        target: ``host:port`` of the gRPC port.
        api_key: What the server wants in the ``api-key`` metadata, if anything.
        tls: Whether to encrypt, with the certificate authorities of the system.
        timeout: Seconds that one request may take.
    """

    def __init__(
        self, target: str, *, api_key: str | None = None, tls: bool = False, timeout: float = 10.0
    ) -> None:
        self._channel = (
            grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), CHANNEL_OPTIONS)
            if tls
            else grpc.aio.insecure_channel(target, CHANNEL_OPTIONS)
        )
        self._points: Any = qdrant.PointsStub(self._channel)  # type: ignore[no-untyped-call]
        self._collections: Any = qdrant.CollectionsStub(self._channel)  # type: ignore[no-untyped-call]
        self._call = {
            "timeout": timeout,
            "metadata": (("api-key", api_key),) if api_key else (),
        }

    async def ping(self) -> None:
        """Returns if the index answers a real query; raises ``Unavailable`` if not."""
        with _our_errors(""):
            await self._collections.List(qdrant.ListCollectionsRequest(), **self._call)

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def ensure_collection(
        self, collection: str, dimension: int, *, indexed: Sequence[str] = ()
    ) -> None:
        with _our_errors(collection):
            found = await self._dimension(collection)
            if found is None:
                await self._create(collection, dimension)
                found = await self._dimension(collection)
            if found != dimension:
                text = f"the collection {collection} has {found} dimensions, not {dimension}"
                raise InvalidArgument.of("dimension", text)
            for field in indexed:
                await self._points.CreateFieldIndex(
                    qdrant.CreateFieldIndexCollection(
                        collection_name=collection,
                        wait=True,
                        field_name=field,
                        field_type=qdrant.FieldType.FieldTypeKeyword,
                    ),
                    **self._call,
                )

    async def _dimension(self, collection: str) -> int | None:
        """Of the vectors in the collection; None if there is no such collection."""
        request = qdrant.GetCollectionInfoRequest(collection_name=collection)
        try:
            answer = await self._collections.Get(request, **self._call)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        size: int = answer.result.config.params.vectors_config.params.size
        return size

    async def _create(self, collection: str, dimension: int) -> None:
        params = qdrant.VectorParams(size=dimension, distance=qdrant.Distance.Cosine)
        request = qdrant.CreateCollection(
            collection_name=collection, vectors_config=qdrant.VectorsConfig(params=params)
        )
        try:
            await self._collections.Create(request, **self._call)
        except grpc.aio.AioRpcError as error:
            # Somebody else was faster; whether theirs has our dimension is checked afterwards.
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise

    async def delete_collection(self, collection: str) -> None:
        with _our_errors(collection):
            request = qdrant.DeleteCollection(collection_name=collection)
            await self._collections.Delete(request, **self._call)

    async def point_alias(self, alias: str, collection: str) -> None:
        create = qdrant.CreateAlias(alias_name=alias, collection_name=collection)
        remove = qdrant.DeleteAlias(alias_name=alias)
        with _our_errors(collection):
            request = qdrant.ChangeAliases(
                actions=[
                    qdrant.AliasOperations(delete_alias=remove),
                    qdrant.AliasOperations(create_alias=create),
                ]
            )
            await self._collections.UpdateAliases(request, **self._call)

    async def upsert(self, collection: str, points: Sequence[VectorPoint]) -> None:
        if not points:
            return
        messages = _point_messages(points)
        step = max(1, LARGEST_UPSERT // (4 * points[0].vector.size))
        with _our_errors(collection):
            for start in range(0, len(messages), step):
                request = qdrant.UpsertPoints(
                    collection_name=collection, wait=True, points=messages[start : start + step]
                )
                await self._points.Upsert(request, **self._call)

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        chosen = qdrant.PointsIdsList(ids=id_messages(ids))
        await self._delete(collection, qdrant.PointsSelector(points=chosen))

    async def delete_where(self, collection: str, filter: VectorFilter) -> None:
        if not filter.conditions and not filter.exclude_ids:
            raise InvalidArgument.of("filter", "must have a condition; it would delete every point")
        await self._delete(collection, qdrant.PointsSelector(filter=filter_message(filter)))

    async def _delete(self, collection: str, points: qdrant.PointsSelector) -> None:
        request = qdrant.DeletePoints(collection_name=collection, wait=True, points=points)
        with _our_errors(collection):
            await self._points.Delete(request, **self._call)

    async def set_payload(self, collection: str, ids: Sequence[str], payload: Payload) -> None:
        # Chosen by a filter, because a list of ids fails as a whole if one of them is gone.
        chosen = qdrant.Filter(must=[ids_condition(ids)])
        request = qdrant.SetPayloadPoints(
            collection_name=collection,
            wait=True,
            payload=payload_message(payload),
            points_selector=qdrant.PointsSelector(filter=chosen),
        )
        with _our_errors(collection):
            await self._points.SetPayload(request, **self._call)

    async def search(
        self,
        collection: str,
        vector: Floats,
        limit: int,
        *,
        filter: VectorFilter | None = None,
        min_score: float | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        answers = await self.search_batch(
            collection, vector[np.newaxis], limit, filter=filter, min_score=min_score, exact=exact
        )
        return answers[0]

    async def search_batch(
        self,
        collection: str,
        vectors: Floats,
        limit: int,
        *,
        filter: VectorFilter | None = None,
        min_score: float | None = None,
        exact: bool = False,
    ) -> list[list[Hit]]:
        if limit < 1:
            raise InvalidArgument.of("limit", f"must be at least 1, not {limit}")
        queries = [
            qdrant.QueryPoints(
                collection_name=collection,
                query=qdrant.Query(nearest=qdrant.VectorInput(dense=dense_message(vector))),
                filter=filter_message(filter),
                limit=limit,
                score_threshold=min_score,
                params=qdrant.SearchParams(exact=exact),
                with_payload=WITH_PAYLOAD,
            )
            for vector in check_vectors(vectors, "vectors")
        ]
        request = qdrant.QueryBatchPoints(collection_name=collection, query_points=queries)
        with _our_errors(collection):
            answer = await self._points.QueryBatch(request, **self._call)
        return [[_hit(point) for point in one.result] for one in answer.result]

    async def scroll(
        self,
        collection: str,
        *,
        filter: VectorFilter | None = None,
        page: int = 1000,
        start: str = "",
        end: str = "",
        payloads: bool = True,
    ) -> AsyncIterator[VectorPage]:
        request = qdrant.ScrollPoints(
            collection_name=collection,
            filter=filter_message(filter),
            limit=page,
            with_payload=qdrant.WithPayloadSelector(enable=payloads),
            with_vectors=WITH_VECTORS,
        )
        if start:
            request.offset.CopyFrom(id_messages([start])[0])
        while True:
            with _our_errors(collection):
                answer = await self._points.Scroll(request, **self._call)
            # Pages are ordered as texts are: the canonical text of a UUID sorts like its bytes.
            points = [point for point in answer.result if not end or point.id.uuid < end]
            if points:
                yield VectorPage(
                    [point.id.uuid for point in points],
                    matrix_of(points),
                    [payload_of(point.payload) for point in points],
                )
            if len(points) < len(answer.result) or not answer.HasField("next_page_offset"):
                return
            if end and answer.next_page_offset.uuid >= end:
                return
            request.offset.CopyFrom(answer.next_page_offset)

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[VectorPoint]:
        request = qdrant.GetPoints(
            collection_name=collection,
            ids=id_messages(ids),
            with_payload=WITH_PAYLOAD,
            with_vectors=WITH_VECTORS,
        )
        with _our_errors(collection):
            answer = await self._points.Get(request, **self._call)
        found = {point.id.uuid: point for point in answer.result}
        return [
            VectorPoint(id, vector_of(found[id].vectors), payload_of(found[id].payload))
            for id in ids
            if id in found
        ]

    async def count(self, collection: str, filter: VectorFilter | None = None) -> int:
        request = qdrant.CountPoints(
            collection_name=collection, filter=filter_message(filter), exact=True
        )
        with _our_errors(collection):
            answer = await self._points.Count(request, **self._call)
        count: int = answer.result.count
        return count


def _point_messages(points: Sequence[VectorPoint]) -> list[qdrant.PointStruct]:
    """Checked and packed. Raises ``InvalidArgument``."""
    ids = id_messages(point.id for point in points)
    if len({point.vector.shape for point in points}) > 1:
        raise InvalidArgument.of("points", "must all have vectors of the same length")
    rows = check_vectors(np.stack([point.vector for point in points]), "points")
    return [
        qdrant.PointStruct(
            id=id,
            vectors=qdrant.Vectors(vector=qdrant.Vector(dense=dense_message(row))),
            payload=payload_message(point.payload),
        )
        for id, row, point in zip(ids, rows, points, strict=True)
    ]


def _hit(point: qdrant.ScoredPoint) -> Hit:
    return Hit(point.id.uuid, point.score, payload_of(point.payload))
