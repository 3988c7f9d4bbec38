"""The events that this service tells, as messages of the contract."""

from collections.abc import Mapping, Sequence

from colonnade.events.v1 import event_pb2

from libs.db.outbox import Outbox
from services.clustering.domain.item import Collection, Item, Neighbour
from services.clustering.domain.verdict import Verdict


class OutboxAnnouncements:
    """See ports.Announcements."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def embedded(
        self, item: Item, collection: Collection, scene: str, nearest: Sequence[Neighbour]
    ) -> None:
        payload = event_pb2.PhotoEmbedded(
            photo=item.name,
            model=collection.model,
            revision=collection.revision,
            scene=scene,
            neighbours=(
                event_pb2.PhotoNeighbour(photo=other.name, similarity=other.score)
                for other in nearest
            ),
            scene_similarity=collection.scene_threshold,
        )
        self._outbox.append("photo.embedded", item.name, payload.SerializeToString())

    def embedding_failed(self, item: Item, reason: str, message: str) -> None:
        payload = event_pb2.PhotoEmbeddingFailed(photo=item.name, reason=reason, message=message)
        self._outbox.append("photo.embedding_failed", item.name, payload.SerializeToString())

    def copies_found(self, photo: str, copies: Mapping[str, Verdict], version: int) -> None:
        payload = event_pb2.PhotoCopiesFound(
            photo=photo,
            copies=(
                event_pb2.PhotoCopy(photo=other, verdict=verdict.upper())
                for other, verdict in sorted(copies.items())
            ),
            version=version,
        )
        self._outbox.append("photo.copies_found", photo, payload.SerializeToString())

    def clusters_updated(self, scope: str, version: int) -> None:
        payload = event_pb2.ClustersUpdated(scope=scope, version=version)
        self._outbox.append("clusters.updated", scope, payload.SerializeToString())
