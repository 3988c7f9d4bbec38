"""The engines of tests.support.engines, for every integration test."""

from tests.support.engines import (
    database_url,
    databases,
    own_redis,
    postgres,
    qdrant_address,
    redis,
    redis_server,
    redis_url,
)

__all__ = [
    "database_url",
    "databases",
    "own_redis",
    "postgres",
    "qdrant_address",
    "redis",
    "redis_server",
    "redis_url",
]
