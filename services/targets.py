"""Which modules make up which target. Data, not decisions."""

from libs.app import Module

_MODULES = (
    Module("telemetry-http", "services.parts:open_http", hidden=True),
    Module("secrets", "services.parts:open_secrets", hidden=True),
    Module("peers", "services.parts:open_peers", hidden=True),
    Module("blobs", "services.parts:open_blob_store", hidden=True),
    Module("redis", "services.parts:open_redis_client", hidden=True),
    Module("vectors", "services.parts:open_vectors", hidden=True),
    Module("jobs", "services.parts:open_jobs", hidden=True),
    Module(
        "catalog",
        "services.catalog.module:open",
        ("telemetry-http", "secrets", "blobs", "redis", "jobs"),
    ),
    Module("embedding", "services.embedding.module:open", ("telemetry-http", "secrets", "blobs")),
    Module(
        "clustering",
        "services.clustering.module:open",
        ("telemetry-http", "secrets", "blobs", "redis", "vectors", "peers", "jobs"),
    ),
    Module(
        "scheduler",
        "services.scheduler.module:open",
        ("telemetry-http", "secrets", "blobs", "redis", "peers", "jobs"),
    ),
    Module("catalog-jobs", "services.catalog.jobs:open", ("blobs", "jobs"), hidden=True),
    Module(
        "clustering-jobs",
        "services.clustering.jobs:open",
        ("vectors", "blobs", "peers", "jobs"),
        hidden=True,
    ),
    Module(
        "scheduler-jobs",
        "services.scheduler.jobs:open",
        ("secrets", "blobs", "peers", "jobs"),
        hidden=True,
    ),
    Module(
        "worker",
        "services.worker:open",
        ("telemetry-http", "redis", "catalog-jobs", "clustering-jobs", "scheduler-jobs"),
    ),
    Module("relay", "services.relay:open", ("telemetry-http", "redis")),
    Module("gateway", "gateway.module:open", ("telemetry-http", "peers")),
    Module(
        "all",
        None,
        ("catalog", "embedding", "clustering", "scheduler", "relay", "worker", "gateway"),
    ),
)

MODULES = {module.name: module for module in _MODULES}
TARGETS = (*(module.name for module in _MODULES if not module.hidden), "migrate")
