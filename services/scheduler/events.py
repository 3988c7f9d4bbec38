"""What the scheduler tells the world, in the messages of the contract."""

from colonnade.events.v1 import event_pb2

from libs.db.outbox import Outbox
from services.scheduler.domain.post import Post


class OutboxPostEvents:
    """See ``ports.PostEvents``; the events leave with the transaction."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def changed(self, post: Post) -> None:
        """See PostEvents."""
        payload = event_pb2.PostChanged(
            post=post.name, photo=post.photo, state=post.state.upper(), version=post.version
        )
        if post.posted_time is not None:
            payload.posted_time.FromDatetime(post.posted_time)
        # Those of one photo in order, as its posts follow each other.
        self._outbox.append(
            "post.changed",
            post.name,
            payload.SerializeToString(),
            ordering_key=post.photo or post.name,
        )
