"""Removing generations that were given up, and noticing that there is a new model."""

import logging

from libs.errors import ColonnadeError
from libs.vectors.index import VectorIndex
from services.clustering.ports import Embedder, Store

log = logging.getLogger(__name__)


async def drop_generations(store: Store, index: VectorIndex) -> None:
    """Removes every dropped generation: first the vectors, then the rows. Safe to repeat."""
    async with store.read() as tx:
        dropped = await tx.generations.droppable()
    for generation in dropped:
        await index.delete_collection(generation.collection.name)
        left = True
        while left:
            async with store.begin() as tx:
                left = await tx.generations.clear(generation.collection.name)
                if not left:
                    await tx.generations.remove(generation.id)
                await tx.commit()


async def other_default(store: Store, embedder: Embedder) -> str:
    """What people should know of the embedding service's default model, if it makes other vectors
    than those in use; empty otherwise."""
    async with store.read() as tx:
        active = await tx.collections.active()
    if active is None:
        return ""
    try:
        default = await embedder.describe("")
        default.require_same(active.model, active.revision, active.fingerprint)
    except ColonnadeError as error:
        if error.reason != "MODEL_CHANGED":
            return ""
        return (
            f"the default model is {default.model} {default.revision}, but photos are embedded "
            f"with {active.model} {active.revision}; `colonnade generations create` embeds them "
            "with the new one while the old one goes on serving"
        )
    return ""
