"""Asking for generations, switching between them, giving them up."""

from collections.abc import Sequence

from libs.clock import Clock
from libs.errors import NotFound
from libs.ids import uuid7
from libs.jobs.queue import JobQueue
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.domain.generation import (
    GENERATION,
    Filled,
    Generation,
    GenerationState,
    check_activation,
    check_cancelling,
    check_deleting,
)
from services.clustering.domain.item import Modality, modality_of
from services.clustering.ports import Embedder, Store, Transaction
from services.clustering.usecases.embedding import enrol_all
from services.clustering.usecases.filling import FILL_TASK
from services.clustering.usecases.runs import QUEUE
from services.clustering.usecases.switching import drop_old, free_name, switch
from services.clustering.usecases.telling import TELL_TASK

_S = GenerationState


async def create_generation(
    store: Store,
    queue: JobQueue,
    embedder: Embedder,
    model: str,
    request: RequestKey,
    modality: Modality = Modality.PHOTOS,
) -> Filled:
    """A new generation of a model, of the default one if ``model`` is empty; a worker is told.

    Raises AlreadyExists if a kept generation has the same vectors, FailedPrecondition
    (GENERATION_FILLING) while another one of that kind is being filled, NotFound for an unknown
    model, InvalidArgument for one that cannot embed items of that kind.
    """
    collection = await embedder.describe(model, modality)
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            return await _filled(tx, await _existing(tx, known))
        await tx.generations.lock()
        free = await free_name(tx, collection)
        active = await tx.generations.active(modality)
        state = _S.FILLING if active else _S.ACTIVE
        generation_id = uuid7()
        await tx.generations.add(generation_id, free, state, 0 if active else 1)
        if state is _S.ACTIVE:
            # Nobody looks for active ones to fill, should the message be lost.
            await enrol_all(tx, free)
        generation = await _existing(tx, GENERATION.format(generation_id))
        await tx.requests.record(request.id, generation.name)
        await tx.commit()
    # After the commit: a worker must find the row. If the message is lost, the sweep finds it.
    await queue.enqueue(FILL_TASK, generation.id, QUEUE)
    return await get_generation(store, generation.name)


async def get_generation(store: Store, name: str) -> Filled:
    """The generation of that name and how far it is filled. Raises NotFound."""
    async with store.read() as tx:
        return await _filled(tx, await _existing(tx, name))


async def list_generations(store: Store, page: PageRequest) -> Page[Filled]:
    """The generations, newest first."""
    async with store.read() as tx:
        found = await tx.generations.page(page)
        return Page(await tx.generations.filled(list(found.rows)), found.next_key)


async def activate_generation(
    store: Store,
    queue: JobQueue,
    clock: Clock,
    name: str,
    allow_missing: int | None,
    keep: int,
    request: RequestKey,
) -> tuple[Filled, str]:
    """The generation, active from now on, and the one whose place it took, empty if it was active
    already. All but the last ``keep`` that were active before are dropped.

    Raises FailedPrecondition (GENERATION_STATE, GENERATION_INCOMPLETE).
    """
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return await _filled(tx, await _existing(tx, name)), ""
        await tx.generations.lock()
        filled = await _filled(tx, await _existing(tx, name))
        modality = filled.generation.collection.modality
        before = await tx.generations.active(modality)
        if filled.generation.state is _S.ACTIVE:
            return filled, ""
        check_activation(filled, allow_missing)
        await switch(tx, clock, before, filled)
        await drop_old(tx, modality, keep)
        await tx.requests.record(request.id, name)
        await tx.commit()
    for task in (FILL_TASK, TELL_TASK):
        await queue.enqueue(task, filled.generation.id, QUEUE)
    return await get_generation(store, name), before.name if before else ""


async def cancel_generation(store: Store, name: str, request: RequestKey) -> Filled:
    """The generation, filled no more. Raises FailedPrecondition (GENERATION_STATE)."""
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return await _filled(tx, await _existing(tx, name))
        await tx.generations.lock()
        generation = await _existing(tx, name)
        if generation.state is not _S.CANCELLED:
            check_cancelling(generation)
            await tx.generations.change(generation.id, state=_S.CANCELLED)
        await tx.requests.record(request.id, name)
        await tx.commit()
    return await get_generation(store, name)


async def delete_generation(store: Store, name: str, request: RequestKey) -> None:
    """Drops a generation; its vectors go in the background. Raises FailedPrecondition
    (GENERATION_STATE)."""
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return
        await tx.generations.lock()
        generation = await _existing(tx, name)
        check_deleting(generation)
        await tx.generations.change(generation.id, state=_S.DROPPED)
        await tx.requests.record(request.id, name)
        await tx.commit()


async def retry_embeddings(
    store: Store,
    queue: JobQueue,
    scope: str,
    name: str,
    reasons: Sequence[str],
    request: RequestKey,
) -> int:
    """How many items wait for their vector again: of a scope or of all for an empty one, in a
    generation or in the active one for an empty name."""
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            return int(known)
        generation = (
            await _existing(tx, name) if name else await tx.generations.active(modality_of(scope))
        )
        count = 0
        if generation is not None:
            count = await tx.items.retry(generation.collection.name, scope, reasons)
        await tx.requests.record(request.id, str(count))
        await tx.commit()
    if generation is not None and count:
        await queue.enqueue(FILL_TASK, generation.id, QUEUE)
    return count


async def _filled(tx: Transaction, generation: Generation) -> Filled:
    (filled,) = await tx.generations.filled([generation])
    return filled


async def _existing(tx: Transaction, name: str) -> Generation:
    (generation_id,) = GENERATION.parse(name)
    generation = await tx.generations.get(generation_id)
    if generation is None:
        raise NotFound("generation", name)
    return generation
