"""Blobs that runs wrote and that nothing leads to: their workers were killed a moment later."""

from uuid import UUID

from services.clustering.ports import Snapshots, Store

_BATCH = 1000


async def forget_orphans(store: Store, snapshots: Snapshots) -> int:
    """Deletes memories and shards of runs that have ended, to which no version leads; answers how
    many. Safe to repeat. Raises Unavailable."""
    count = 0
    written: dict[str, str] = {}
    async for key in snapshots.keys():
        run = _run_of(key)
        if run:
            written[key] = run
        if len(written) == _BATCH:
            count += await _forget(store, snapshots, written)
            written = {}
    return count + await _forget(store, snapshots, written)


async def _forget(store: Store, snapshots: Snapshots, written: dict[str, str]) -> int:
    if not written:
        return 0
    async with store.read() as tx:
        unclaimed = await tx.versions.unclaimed(written)
    return sum([await snapshots.forget(key) for key in unclaimed])


def _run_of(key: str) -> str:
    """The id of the run that wrote a blob, such as ``clustering/personas/nora/{run}-{token}.npz``
    and ``clustering/personas/nora/shards/{run}/…``; empty for others."""
    rest = key.split("/")[3:]
    named = rest[1] if rest[:1] == ["shards"] and len(rest) > 1 else "".join(rest[:1])
    try:
        return str(UUID(named[:36]))
    except ValueError:
        return ""
