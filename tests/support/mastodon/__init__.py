"""A stand-in of a Mastodon server."""

from tests.support.mastodon.stand_in import TOKEN, MastodonStandIn

__all__ = ["TOKEN", "MastodonStandIn"]
