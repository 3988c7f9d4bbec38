"""Answering a repeated request without doing it again."""

from libs.rpc.requests import RequestKey
from services.scheduler.ports import Changing, Store


async def claimed(tx: Changing, request: RequestKey) -> str | None:
    """The result of the request if it was served before; else it is ours to serve."""
    return await tx.requests.claim(request.id, request.method, request.fingerprint)


async def answered(store: Store, request: RequestKey) -> str | None:
    """The result of the request if it was served before; it stays unclaimed if not.

    For use cases that ask other services before they write: no transaction waits for those.
    """
    if not request.id:
        return None
    async with store.changing() as tx:
        return await claimed(tx, request)
