"""How the command reaches the suite."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.import_service_pb2_grpc import ImportServiceStub
from colonnade.catalog.v1.planning_service_pb2_grpc import PlanningServiceStub
from colonnade.catalog.v1.run_service_pb2_grpc import RunServiceStub
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub
from colonnade.clustering.v1.duplicate_service_pb2_grpc import DuplicateServiceStub
from colonnade.clustering.v1.generation_service_pb2_grpc import GenerationServiceStub
from colonnade.clustering.v1.insight_service_pb2_grpc import InsightServiceStub
from colonnade.clustering.v1.item_service_pb2_grpc import ItemServiceStub
from colonnade.clustering.v1.search_service_pb2_grpc import SearchServiceStub
from colonnade.clustering.v1.version_service_pb2_grpc import ClusterVersionServiceStub
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from colonnade.scheduler.v1.caption_service_pb2_grpc import CaptionServiceStub
from colonnade.scheduler.v1.planner_service_pb2_grpc import PlannerServiceStub
from colonnade.scheduler.v1.results_service_pb2_grpc import ResultsServiceStub
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

from libs.rpc.contracts import SERVICES
from libs.rpc.peers import Peers

DEFAULT_ADDRESS = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the suite is, and the key to show it."""

    addresses: Mapping[str, str]
    key: str

    @classmethod
    def from_environment(cls) -> "Target":
        """``COLONNADE_ADDRESS`` for all services, ``COLONNADE_PEERS__CATALOG`` and so on for one
        that is elsewhere, ``COLONNADE_API_KEY`` for the key."""
        everywhere = os.environ.get("COLONNADE_ADDRESS", DEFAULT_ADDRESS)
        addresses = {
            name: os.environ.get(f"COLONNADE_PEERS__{name.upper()}", everywhere)
            for name in SERVICES
        }
        return cls(addresses, os.environ.get("COLONNADE_API_KEY", ""))


@dataclass(frozen=True, slots=True)
class Suite:
    """Stubs of every service; their failures are raised as ``libs.errors``."""

    catalog: CatalogServiceStub
    planning: PlanningServiceStub
    runs: RunServiceStub
    imports: ImportServiceStub
    embedding: EmbeddingServiceStub
    clustering: ClusteringServiceStub
    duplicates: DuplicateServiceStub
    search: SearchServiceStub
    generations: GenerationServiceStub
    items: ItemServiceStub
    insight: InsightServiceStub
    versions: ClusterVersionServiceStub
    scheduler: SchedulerServiceStub
    planner: PlannerServiceStub
    captions: CaptionServiceStub
    results: ResultsServiceStub
    peers: Peers


@asynccontextmanager
async def connect(target: Target | None = None) -> AsyncIterator[Suite]:
    """The suite that the environment names. Nothing is sent before the first call."""
    target = target or Target.from_environment()
    metadata = {"authorization": f"Bearer {target.key}"} if target.key else {}
    peers = Peers(target.addresses, SERVICES, metadata)
    try:
        yield Suite(
            peers.stub(CatalogServiceStub, "catalog"),
            peers.stub(PlanningServiceStub, "catalog"),
            peers.stub(RunServiceStub, "catalog"),
            peers.stub(ImportServiceStub, "catalog"),
            peers.stub(EmbeddingServiceStub, "embedding"),
            peers.stub(ClusteringServiceStub, "clustering"),
            peers.stub(DuplicateServiceStub, "clustering"),
            peers.stub(SearchServiceStub, "clustering"),
            peers.stub(GenerationServiceStub, "clustering"),
            peers.stub(ItemServiceStub, "clustering"),
            peers.stub(InsightServiceStub, "clustering"),
            peers.stub(ClusterVersionServiceStub, "clustering"),
            peers.stub(SchedulerServiceStub, "scheduler"),
            peers.stub(PlannerServiceStub, "scheduler"),
            peers.stub(CaptionServiceStub, "scheduler"),
            peers.stub(ResultsServiceStub, "scheduler"),
            peers,
        )
    finally:
        await peers.close()
