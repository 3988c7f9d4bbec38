"""What was written about clusters, for showing it with them."""

from collections.abc import Sequence

from services.clustering.domain.digest import Digest
from services.clustering.ports import Store


async def digests_of(store: Store, cluster_ids: Sequence[str]) -> dict[str, Digest]:
    """What was written about these clusters, by id."""
    if not cluster_ids:
        return {}
    async with store.read() as tx:
        return await tx.summaries.of(cluster_ids)
