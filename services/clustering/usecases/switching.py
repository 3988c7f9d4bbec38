"""Putting a generation in the place of another one."""

from dataclasses import replace

from libs.clock import Clock
from libs.errors import AlreadyExists, FailedPrecondition
from libs.ids import uuid7
from services.clustering.domain.generation import KEPT, Filled, Generation, GenerationState
from services.clustering.domain.item import Collection, Modality
from services.clustering.ports import Transaction
from services.clustering.usecases.embedding import enrol_all

_S = GenerationState


async def switch(tx: Transaction, clock: Clock, before: Generation | None, filled: Filled) -> None:
    """Puts a generation in the place of the active one of its kind."""
    now, after = clock.now(), filled.generation
    if before is not None:
        await tx.generations.change(before.id, state=_S.RETIRED, retire_time=now)
    await tx.generations.change(
        after.id,
        state=_S.ACTIVE,
        epoch=await tx.generations.last_epoch() + 1,
        activate_time=now,
        ready_time=after.ready_time or now,
        retire_time=None,
    )
    if filled.counts.missing:
        # What came in while it was retired waits for its vectors from now on.
        await enrol_all(tx, after.collection)


async def drop_old(tx: Transaction, modality: Modality, keep: int) -> None:
    """Drops all but the last ``keep`` of a kind that were active before, and what was given up."""
    retired = await tx.generations.in_states(_S.RETIRED, modality=modality)
    given_up = await tx.generations.in_states(_S.FAILED, _S.CANCELLED, modality=modality)
    for generation in [*retired[keep:], *given_up]:
        await tx.generations.change(generation.id, state=_S.DROPPED)


async def free_name(tx: Transaction, collection: Collection) -> Collection:
    """The collection under a name that no other one has. Raises AlreadyExists,
    FailedPrecondition."""
    for generation in await tx.generations.in_states(*KEPT, modality=collection.modality):
        if generation.collection.is_like(collection):
            raise AlreadyExists(
                "generation",
                generation.name,
                f"{generation.name} has the same vectors and is {generation.state}",
            )
        if generation.state is _S.FILLING:
            raise FailedPrecondition(
                f"{generation.name} is being filled; wait for it or cancel it",
                reason="GENERATION_FILLING",
                metadata={"generation": generation.name},
            )
    if await tx.collections.get(collection.name) is None:
        return collection
    return replace(collection, name=f"{collection.name}-{uuid7()[-12:]}")
