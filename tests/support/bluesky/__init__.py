"""A stand-in of a server of the AT Protocol."""

from tests.support.bluesky.stand_in import APP_PASSWORD, DID, HANDLE, BlueskyStandIn

__all__ = ["APP_PASSWORD", "DID", "HANDLE", "BlueskyStandIn"]
