"""Taking note of photos that arrive; their vectors come later."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.clustering.domain.item import Item
from services.clustering.ports import Store
from services.clustering.usecases.members import join_cluster

# So many rows a statement: each has its time.
_STRAYS = 2000


@dataclass(frozen=True, slots=True)
class Arrival:
    """An item that came in, and the name of the curated cluster that a new one is for, if any."""

    item: Item
    cluster: str = ""


async def note_items(store: Store, arrivals: Sequence[Arrival]) -> None:
    """Adds items, which wait for their vectors from now on. What comes again changes nothing."""
    items = [*{arrival.item.name: arrival.item for arrival in arrivals}.values()]
    joining = [arrival for arrival in arrivals if arrival.cluster]
    async with store.begin() as tx:
        if joining:
            await tx.items.lock(arrival.item.scope for arrival in joining)
        new = await tx.items.add(items)
        for arrival in joining:
            # Once only: people may have taken it out by the time that the event comes again.
            if arrival.item.name in new:
                await join_cluster(tx, arrival.item, arrival.cluster)
        await tx.commit()


async def note_strays(store: Store) -> int:
    """Has items wait for their vectors that came into the tables by other ways; answers how many.
    Safe to repeat."""
    found, after = 0, ""
    while True:
        async with store.begin() as tx:
            last, added = await tx.queue.enrol_strays(after, _STRAYS)
            await tx.commit()
        found += added
        if last is None:
            return found
        after = last
