"""The Collections service: making, listing and renaming collections."""

from typing import TYPE_CHECKING

import grpc

from libs.embedded.qdrant_edge.errors import unsupported
from libs.embedded.qdrant_edge.store import Store
from libs.vectors.stubs import qdrant

OK = qdrant.CollectionOperationResponse(result=True)
# The client insists on these numbers; nothing here is tuned by them.
REQUIRED_BY_CLIENT = qdrant.CollectionConfig(
    hnsw_config=qdrant.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10_000),
    optimizer_config=qdrant.OptimizersConfigDiff(
        deleted_threshold=0.2,
        vacuum_min_vector_number=1000,
        default_segment_number=0,
        flush_interval_sec=5,
    ),
    wal_config=qdrant.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0),
)

if TYPE_CHECKING:
    Base = object
else:
    Base = qdrant.CollectionsServicer


class Collections(Base):
    """Every method raises ``Refused``; ``server`` turns that into the status of the call."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def Create(
        self, request: qdrant.CreateCollection, context: grpc.ServicerContext
    ) -> qdrant.CollectionOperationResponse:
        if request.vectors_config.WhichOneof("config") != "params":
            raise unsupported("collections with named vectors or none")
        params = request.vectors_config.params
        if params.distance == qdrant.Distance.UnknownDistance:
            raise unsupported("an unknown distance")
        distance = qdrant.Distance.Name(params.distance)
        self._store.create(request.collection_name, params.size, distance)
        return OK

    def Delete(
        self, request: qdrant.DeleteCollection, context: grpc.ServicerContext
    ) -> qdrant.CollectionOperationResponse:
        deleted = self._store.delete(request.collection_name)
        return qdrant.CollectionOperationResponse(result=deleted)

    def List(
        self, request: qdrant.ListCollectionsRequest, context: grpc.ServicerContext
    ) -> qdrant.ListCollectionsResponse:
        return qdrant.ListCollectionsResponse(
            collections=[
                qdrant.CollectionDescription(name=collection.name)
                for collection in self._store.collections
            ]
        )

    def CollectionExists(
        self, request: qdrant.CollectionExistsRequest, context: grpc.ServicerContext
    ) -> qdrant.CollectionExistsResponse:
        exists = self._store.exists(request.collection_name)
        return qdrant.CollectionExistsResponse(result=qdrant.CollectionExists(exists=exists))

    def Get(
        self, request: qdrant.GetCollectionInfoRequest, context: grpc.ServicerContext
    ) -> qdrant.GetCollectionInfoResponse:
        collection = self._store.get(request.collection_name)
        info = collection.read(lambda shard: shard.info())
        vectors = qdrant.VectorParams(
            size=collection.dimension, distance=qdrant.Distance.Value(collection.distance)
        )
        params = qdrant.CollectionParams(
            shard_number=1,
            replication_factor=1,
            write_consistency_factor=1,
            vectors_config=qdrant.VectorsConfig(params=vectors),
        )
        config = qdrant.CollectionConfig(params=params)
        config.MergeFrom(REQUIRED_BY_CLIENT)
        return qdrant.GetCollectionInfoResponse(
            result=qdrant.CollectionInfo(
                status=qdrant.CollectionStatus.Green,
                optimizer_status=qdrant.OptimizerStatus(ok=True),
                segments_count=info.segments_count,
                points_count=info.points_count,
                indexed_vectors_count=info.indexed_vectors_count,
                config=config,
            )
        )

    def UpdateAliases(
        self, request: qdrant.ChangeAliases, context: grpc.ServicerContext
    ) -> qdrant.CollectionOperationResponse:
        for action in request.actions:
            match action.WhichOneof("action"):
                case "create_alias":
                    create = action.create_alias
                    self._store.point_alias(create.alias_name, create.collection_name)
                case "delete_alias":
                    self._store.delete_alias(action.delete_alias.alias_name)
                case other:
                    raise unsupported(f"the alias action {other}")
        return OK

    def ListAliases(
        self, request: qdrant.ListAliasesRequest, context: grpc.ServicerContext
    ) -> qdrant.ListAliasesResponse:
        return qdrant.ListAliasesResponse(
            aliases=[
                qdrant.AliasDescription(alias_name=alias, collection_name=collection)
                for alias, collection in self._store.aliases.items()
            ]
        )
