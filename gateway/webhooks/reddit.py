"""Posts and comments of Reddit, as its API gives them to the bot that forwards them.

Reddit sends no webhooks itself. A message is a thing (``{"kind": "t3", "data": {…}}``), a listing
of things, or what every other sender may send (see ``plain``).
"""

from colonnade.clustering.v1.cluster_pb2 import Item

from gateway.webhooks import plain
from gateway.webhooks.payloads import Payload, make_item
from libs.errors import InvalidArgument

SOURCE = "reddit"
_SITE = "https://www.reddit.com"
_COMMENT, _POST, _LISTING = "t1", "t3", "Listing"
_REMOVED = ("[removed]", "[deleted]")


def items_of(payload: Payload) -> list[Item]:
    """The items of a message. Raises InvalidArgument."""
    if "kind" not in payload:
        return plain.items_of(SOURCE, payload)
    if payload.text("kind") != _LISTING:
        return [_thing(payload)]
    things = payload.inner("data").list("children")
    if len(things) > plain.MOST:
        raise InvalidArgument.of("data.children", f"at most {plain.MOST}, not {len(things)}")
    return [_thing(thing) for thing in things]


def _thing(thing: Payload) -> Item:
    kind, data = thing.text("kind"), thing.inner("data")
    if kind not in (_COMMENT, _POST):
        raise InvalidArgument.of(thing.path("kind"), f"is t1 or t3, not {kind!r}")
    written = data.text("body" if kind == _COMMENT else "selftext")
    link = data.told("permalink")
    return make_item(
        source=SOURCE,
        external_id=data.text("name") or f"{kind}_{data.required('id')}",
        title=data.text("link_title" if kind == _COMMENT else "title"),
        body=written,
        url=f"{_SITE}{link}" if link.startswith("/") else link,
        metadata={
            "kind": "comment" if kind == _COMMENT else "post",
            "subreddit": data.told("subreddit"),
            "author": data.told("author"),
            "flair": data.told("link_flair_text"),
        },
        source_time=data.told_time("created_utc"),
        closed=written in _REMOVED or "removed_by_category" in data,
    )
