"""The way into the history of clusters: whatever changes them makes a version, and is told of."""

from datetime import datetime, timedelta

from libs.clock import Clock
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.history import NewVersion, Pruned
from services.clustering.ports import Snapshots, Store, Transaction

_BATCH = 1000
_SCOPES = 100


async def add_version(tx: Transaction, new: NewVersion) -> dict[str, Cluster]:
    """Stores the version that follows the newest one, and announces it; answers the clusters that
    it shows otherwise than the one before, by id. The scope is locked."""
    shown = await tx.versions.write(new)
    tx.announce.clusters_updated(new.state.scope, new.state.version)
    return shown


async def prune_history(
    store: Store, snapshots: Snapshots, clock: Clock, *, older: timedelta, dry_run: bool = False
) -> Pruned:
    """Removes the versions that are older than that, but for pinned ones, the newest of each scope
    and the one that its memory knows, and what only these show; answers how much. With ``dry_run``
    it only counts."""
    before = clock.now() - older
    if dry_run:
        async with store.begin() as tx:
            return await tx.versions.outdated(before)
    await forget_memories(store, snapshots)
    total, after = Pruned(), ""
    while True:
        async with store.begin() as tx:
            scopes = await tx.versions.prunable(before, after, _SCOPES)
        if not scopes:
            return total
        for after in scopes:
            total = total + await _prune(store, after, before)


async def _prune(store: Store, scope: str, before: datetime) -> Pruned:
    total = Pruned()
    while True:
        async with store.begin() as tx:
            # From here on nobody goes back to one of its versions, pins one or makes another.
            await tx.items.lock([scope])
            gone = await tx.versions.prune(scope, before, _BATCH)
            await tx.commit()
        if gone == Pruned():
            return total
        total = total + gone


async def forget_memories(store: Store, snapshots: Snapshots, scope: str = "") -> None:
    """Deletes the memories of a scope, of all for '', that a newer one follows: a run goes on from
    the newest one alone. What cannot be deleted now is so the next time."""
    kept: set[str] = set()
    while True:
        async with store.read() as tx:
            old = {*await tx.versions.old_memories(scope, _BATCH + len(kept))} - kept
        if not old:
            return
        # A version leads to its memory until that is gone.
        gone = [key for key in sorted(old) if await snapshots.forget(key)]
        kept |= old.difference(gone)
        if gone:
            async with store.begin() as tx:
                await tx.versions.forget_memories(gone)
                await tx.commit()


async def forget_staged(store: Store) -> None:
    """Forgets what was staged for versions by runs that ended without doing so."""
    async with store.read() as tx:
        left = await tx.versions.left_staged()
    for run_id in left:
        count = _BATCH
        while count == _BATCH:
            async with store.begin() as tx:
                count = await tx.versions.unstage_some(run_id, _BATCH)
                await tx.commit()
