"""The way into the history of clusters: whatever changes them makes a version, and is told of."""

from datetime import timedelta

from libs.clock import Clock
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.history import NewVersion, Pruned
from services.clustering.ports import Snapshots, Store, Transaction

_BATCH = 1000


async def add_version(tx: Transaction, new: NewVersion) -> dict[str, Cluster]:
    """Stores the version that follows the newest one, and announces it; answers the clusters that
    it shows otherwise than the one before, by id. The scope is locked."""
    shown = await tx.versions.write(new)
    tx.announce.clusters_updated(new.state.scope, new.state.version)
    return shown


async def prune_history(
    store: Store, snapshots: Snapshots, clock: Clock, *, older: timedelta, dry_run: bool = False
) -> Pruned:
    """Removes the versions that are older than that, but for pinned ones and the newest of each
    scope, and what only these show; answers how much. With ``dry_run`` it only counts."""
    before = clock.now() - older
    if dry_run:
        async with store.begin() as tx:
            return await tx.versions.outdated(before)
    total = Pruned()
    while True:
        async with store.begin() as tx:
            gone = await tx.versions.prune(before, _BATCH)
            await tx.commit()
        for key in gone.state_keys:
            await snapshots.forget(key)
        if not (gone.versions or gone.members or gone.clusters):
            return total
        total = total + gone
