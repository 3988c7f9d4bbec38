"""The shape for everybody who writes a sender of their own: one item, or several as ``items``."""

from colonnade.clustering.v1.cluster_pb2 import Item

from gateway.webhooks.payloads import Payload, make_item
from libs.errors import InvalidArgument

MOST = 500
_FIELDS = frozenset(
    {
        "external_id",
        "title",
        "body",
        "url",
        "repository",
        "metadata",
        "source_time",
        "closed",
    }
)


def items_of(source: str, payload: Payload) -> list[Item]:
    """The items of a message. Raises InvalidArgument, also for a field that nobody reads."""
    if "items" not in payload:
        return [_item(source, payload)]
    _check_names(payload, frozenset({"items"}))
    found = payload.list("items")
    if len(found) > MOST:
        raise InvalidArgument.of("items", f"at most {MOST}, not {len(found)}")
    return [_item(source, each) for each in found]


def _item(source: str, payload: Payload) -> Item:
    _check_names(payload, _FIELDS)
    metadata = payload.inner("metadata") if "metadata" in payload else Payload({})
    return make_item(
        source=source,
        external_id=payload.text("external_id"),
        title=payload.text("title"),
        body=payload.text("body"),
        url=payload.text("url"),
        repository=payload.text("repository"),
        metadata={name: metadata.text(name) for name in metadata.names},
        source_time=payload.time("source_time"),
        closed=payload.flag("closed"),
    )


def _check_names(payload: Payload, known: frozenset[str]) -> None:
    for name in payload.names:
        if name not in known:
            raise InvalidArgument.of(
                payload.path(name), f"is no field; there are {', '.join(sorted(known))}"
            )
