"""Publications that are due together, under one message."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

log = logging.getLogger(__name__)

# A message costs a worker as much as several statements, and one of its threads until its end; so
# several go out side by side, while their providers take their time.
_TOGETHER: Final = 8


def bundles(publications: Sequence[str]) -> Iterator[str]:
    """Ids of publications in messages of a few, in their order."""
    for start in range(0, len(publications), _TOGETHER):
        yield " ".join(publications[start : start + _TOGETHER])


class PublishSeveral:
    """Publishes a bundle by ``publish``, which takes one id."""

    def __init__(self, publish: Callable[[str], Awaitable[None]]) -> None:
        self._publish = publish

    async def __call__(self, bundle: str) -> None:
        """Publishes all of it; what one of them raises keeps no other one back.

        Raises the first error in the end; the others are logged.
        """
        ids = bundle.split()
        results = await asyncio.gather(*map(self._publish, ids), return_exceptions=True)
        failed = [(id, error) for id, error in zip(ids, results, strict=True) if error is not None]
        for id, error in failed[1:]:
            log.warning("%s: %s", id, error)
        if failed:
            raise failed[0][1]
