"""A stand-in of a Postiz server."""

from tests.support.postiz.stand_in import BLUESKY_ID, KEY, MASTODON_ID, PostizStandIn

__all__ = ["BLUESKY_ID", "KEY", "MASTODON_ID", "PostizStandIn"]
