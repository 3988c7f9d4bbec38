"""A stand-in of Buffer's GraphQL API that behaves, and misbehaves, as the real one does."""

from tests.support.buffer.admin import Admin
from tests.support.buffer.model import INSTAGRAM_ID, MASTODON_ID, ORGANIZATION_ID
from tests.support.buffer.stand_in import DEFAULT_TOKEN, BufferStandIn

__all__ = [
    "DEFAULT_TOKEN",
    "INSTAGRAM_ID",
    "MASTODON_ID",
    "ORGANIZATION_ID",
    "Admin",
    "BufferStandIn",
]
