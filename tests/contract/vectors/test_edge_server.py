"""The edge server against Qdrant's own client, and at the door."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.embedded.qdrant import QdrantAddress
from libs.errors import Unavailable
from libs.vectors.qdrant import QdrantIndex
from libs.vectors.stubs import qdrant

stubs: Any = qdrant  # the generated half of it has no types


@pytest.fixture
def channel(qdrant_address: QdrantAddress) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(qdrant_address.target) as opened:
        yield opened


@pytest.fixture
def key(qdrant_address: QdrantAddress) -> tuple[tuple[str, str], ...]:
    return (("api-key", qdrant_address.api_key),)


def code_of(call: object) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as raised:
        call()  # type: ignore[operator]
    return raised.value.code()


@pytest.mark.parametrize("metadata", [(), (("api-key", "guess"),), (("api-key", ""),)])
def test_nobody_enters_without_the_key(
    channel: grpc.Channel, metadata: tuple[tuple[str, str], ...]
) -> None:
    collections = stubs.CollectionsStub(channel)

    code = code_of(lambda: collections.List(qdrant.ListCollectionsRequest(), metadata=metadata))

    assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_wrong_key_makes_the_index_unavailable(qdrant_address: QdrantAddress) -> None:
    async with QdrantIndex(qdrant_address.target, api_key="guess") as index:
        with pytest.raises(Unavailable, match="key"):
            await index.count("photos")


def test_health_is_answered_without_a_key(channel: grpc.Channel) -> None:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_who_answers(channel: grpc.Channel, key: tuple[tuple[str, str], ...]) -> None:
    answer = stubs.QdrantStub(channel).HealthCheck(qdrant.HealthCheckRequest(), metadata=key)

    assert answer.title == "qdrant-edge"


def test_what_it_cannot_do_is_refused_and_never_passed_over(
    channel: grpc.Channel, key: tuple[tuple[str, str], ...]
) -> None:
    collections, points = stubs.CollectionsStub(channel), stubs.PointsStub(channel)
    params = qdrant.VectorParams(size=2, distance=qdrant.Distance.Cosine)
    config = qdrant.VectorsConfig(params=params)
    collections.Create(
        qdrant.CreateCollection(collection_name="strict", vectors_config=config), metadata=key
    )
    flag = qdrant.FieldCondition(key="public", match=qdrant.Match(boolean=True))
    by_flag = qdrant.Filter(must=[qdrant.Condition(field=flag)])
    sample = qdrant.Query(sample=qdrant.Sample.Random)

    refused = [
        code_of(call)
        for call in (
            lambda: points.Count(
                qdrant.CountPoints(collection_name="strict", filter=by_flag), metadata=key
            ),
            lambda: points.Query(
                qdrant.QueryPoints(collection_name="strict", query=sample), metadata=key
            ),
            lambda: points.Facet(
                qdrant.FacetCounts(collection_name="strict", key="public"), metadata=key
            ),
        )
    ]

    assert refused == [grpc.StatusCode.UNIMPLEMENTED] * 3


# It does not know that this connection never leaves the machine.
@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_the_unmodified_client_of_qdrant_works(qdrant_address: QdrantAddress) -> None:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(
        host=qdrant_address.host,
        grpc_port=qdrant_address.grpc_port,
        api_key=qdrant_address.api_key,
        prefer_grpc=True,
        https=False,
        check_compatibility=False,
    )
    params = models.VectorParams(size=2, distance=models.Distance.COSINE)
    client.create_collection("plain", vectors_config=params)
    client.upsert(
        "plain",
        [
            models.PointStruct(id=1, vector=[1.0, 0.0], payload={"kind": "cat", "age": 3}),
            models.PointStruct(
                id=2, vector=[0.6, 0.8], payload={"kind": "cat", "deep": {"a": [1]}}
            ),
            models.PointStruct(id=3, vector=[0.0, 1.0], payload={"kind": "dog"}),
        ],
    )
    cats = models.Filter(
        must=[models.FieldCondition(key="kind", match=models.MatchValue(value="cat"))]
    )

    by_vector = client.query_points("plain", query=[1.0, 0.1], query_filter=cats, limit=5).points
    by_point = client.query_points("plain", query=1, limit=5).points
    records, following = client.scroll("plain", limit=2, with_vectors=True)

    assert [point.id for point in by_vector] == [1, 2]
    assert [point.id for point in by_point] == [2, 3]
    assert by_point[0].score == pytest.approx(0.6)
    assert records[1].payload == {"kind": "cat", "deep": {"a": [1]}}
    assert records[1].vector == pytest.approx([0.6, 0.8])
    assert following == 3
    assert client.count("plain", count_filter=cats).count == 2
    assert client.get_collection("plain").points_count == 3
    client.delete("plain", points_selector=[1])
    assert client.retrieve("plain", [1]) == []
    client.close()
