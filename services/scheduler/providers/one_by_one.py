"""Reading posts one by one, where a provider has no call for several."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final, TypeVar

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import Channel, ReadFailed, RemotePost, RemoteState

log = logging.getLogger(__name__)

T = TypeVar("T")

# What the answer for one post may be like for ever; everything else is about the account.
_OF_ONE_POST: Final = (FailureKind.PERMANENT, FailureKind.CLIENT_BUG, FailureKind.UNKNOWN)


async def one_by_one(
    provider: str, ids: Iterable[str], ask: Callable[[str], Awaitable[T]]
) -> tuple[dict[str, T], list[str]]:
    """What ``ask`` answers of each post, by id, and the ids of those that cannot be read.

    One post is no reason to know nothing of the others. Raises ``ReadFailed`` if none can be read,
    or if it is not the post that cannot be.
    """
    told: dict[str, T] = {}
    untold: list[str] = []
    failure: ReadFailed | None = None
    for id in ids:
        try:
            told[id] = await ask(id)
        except ReadFailed as error:
            if error.kind not in _OF_ONE_POST:
                raise
            log.warning("%s does not tell of %s: %s", provider, id, error.message)
            untold.append(id)
            failure = error
    if failure is not None and not told:
        raise failure
    return told, untold


def on_its_way(channel: Channel, id: str, at: datetime) -> RemotePost:
    """A post that cannot be read: nobody is to take it for one that is gone."""
    return RemotePost(id, channel.id, RemoteState.SENDING, "", at)
