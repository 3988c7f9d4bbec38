"""Embedding all texts anew when the default model for texts changes."""

from libs.errors import ColonnadeError
from libs.ids import uuid7
from libs.jobs.queue import JobQueue
from services.clustering.domain.generation import GenerationState
from services.clustering.domain.item import Collection, Modality
from services.clustering.ports import Embedder, Store, Transaction
from services.clustering.usecases.filling import FILL_TASK
from services.clustering.usecases.runs import QUEUE
from services.clustering.usecases.switching import free_name

_S = GenerationState


async def follow_default(store: Store, queue: JobQueue, embedder: Embedder) -> bool:
    """Begins a generation of the default model for texts if that makes other vectors than those in
    use; it becomes active by itself when it is filled. Answers whether it did.

    One that was given up is not begun again, nor is one while another is being filled.
    """
    async with store.read() as tx:
        if await tx.collections.active(Modality.TEXTS) is None:
            return False
    try:
        default = await embedder.describe("", Modality.TEXTS)
    except ColonnadeError:
        return False
    async with store.begin() as tx:
        await tx.generations.lock()
        if not await _is_new(tx, default):
            return False
        generation_id = uuid7()
        free = await free_name(tx, default)
        await tx.generations.add(generation_id, free, _S.FILLING, 0, automatic=True)
        await tx.commit()
    await queue.enqueue(FILL_TASK, generation_id, QUEUE)
    return True


async def _is_new(tx: Transaction, default: Collection) -> bool:
    """Whether no generation is of these vectors, and none is being filled."""
    states = [state for state in _S if state is not _S.DROPPED]
    known = await tx.generations.in_states(*states, modality=Modality.TEXTS)
    return all(
        generation.state is not _S.FILLING and not generation.collection.is_like(default)
        for generation in known
    )
