"""Taking texts in, looking at them, closing, opening and deleting them.

A request only stores; what follows (vectors, places in clusters) is done in the background.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.ids import uuid7
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.domain.text import (
    Draft,
    Outcome,
    StoredText,
    TextState,
    checked,
    created,
    updated,
)
from services.clustering.ports import Store, Transaction


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a text that was taken in."""

    name: str
    outcome: Outcome


Result = Taken | InvalidArgument


async def create_item(
    store: Store, clock: Clock, scope: str, draft: Draft, request: RequestKey
) -> tuple[StoredText, Outcome]:
    """Takes a text in; one with the same source and external id is brought up to date.

    Raises InvalidArgument.
    """
    good = checked(draft, "item")
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            (taken,) = _remembered(known)
            return await _existing(tx, taken.name), taken.outcome
        texts: dict[str, StoredText] = {}
        taken = (await _take_in(tx, scope, {0: good}, clock.now(), texts))[0]
        await tx.requests.record(request.id, _memory([taken]))
        await tx.commit()
        return texts[taken.name], taken.outcome


async def create_items(
    store: Store,
    clock: Clock,
    scope: str,
    drafts: Sequence[Draft | InvalidArgument],
    request: RequestKey,
) -> list[Result]:
    """Takes texts in, in their order; one result for each, also for what could not be read."""
    good: dict[int, Draft] = {}
    bad: dict[int, InvalidArgument] = {}
    for place, draft in enumerate(drafts):
        if isinstance(draft, InvalidArgument):
            bad[place] = draft
            continue
        try:
            good[place] = checked(draft, f"items[{place}]")
        except InvalidArgument as error:
            bad[place] = error
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            taken = dict(zip(good, _remembered(known), strict=True))
        else:
            taken = await _take_in(tx, scope, good, clock.now(), {})
            await tx.requests.record(request.id, _memory([taken[place] for place in good]))
            await tx.commit()
    return [bad[place] if place in bad else taken[place] for place in range(len(drafts))]


async def get_item(store: Store, name: str) -> StoredText:
    """The text of that name. Raises NotFound."""
    async with store.read() as tx:
        return await _existing(tx, name)


async def list_items(
    store: Store,
    scope: str,
    page: PageRequest,
    conditions: Sequence[Condition],
    order: tuple[str, bool],
) -> Page[StoredText]:
    """The texts of a project."""
    async with store.read() as tx:
        return await tx.texts.list(scope, page, conditions, order)


async def close_item(store: Store, clock: Clock, name: str, request: RequestKey) -> StoredText:
    """Takes a text out of every queue; it leaves its cluster in the background. Raises NotFound."""
    return await _turn(store, clock, name, request, closed=True)


async def reopen_item(store: Store, clock: Clock, name: str, request: RequestKey) -> StoredText:
    """Has a closed text wait for its vector and a cluster again. Raises NotFound."""
    return await _turn(store, clock, name, request, closed=False)


async def delete_item(store: Store, name: str, request: RequestKey) -> None:
    """Forgets a text; it leaves its cluster in the background. Raises NotFound."""
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return
        await _existing(tx, name, lock=True)
        await tx.leavers.delete([name])
        await tx.texts.delete(name)
        await tx.requests.record(request.id, name)
        await tx.commit()


async def retry_items(store: Store, scope: str, names: Sequence[str], request: RequestKey) -> int:
    """Has quarantined texts wait again, all of a project where no names are given."""
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            return int(known)
        count = await tx.texts.retry(scope, names)
        await tx.requests.record(request.id, str(count))
        await tx.commit()
        return count


async def _turn(
    store: Store, clock: Clock, name: str, request: RequestKey, *, closed: bool
) -> StoredText:
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return await _existing(tx, name)
        before = await _existing(tx, name, lock=True)
        after = before
        if before.closed != closed:
            state = TextState.CLOSED if closed else TextState.PENDING
            after = replace(before, state=state, cluster_id="", update_time=clock.now())
            await _store(tx, {before.name: before}, [after])
        await tx.requests.record(request.id, name)
        await tx.commit()
        return after


async def _take_in(
    tx: Transaction,
    scope: str,
    drafts: Mapping[int, Draft],
    now: datetime,
    texts: dict[str, StoredText],
) -> dict[int, Taken]:
    """What became of each draft; ``texts`` gets the texts as they are then.

    Of several with one external id, each later one is an update of the one before it.
    """
    done: dict[int, Taken] = {}
    while left := {place: draft for place, draft in drafts.items() if place not in done}:
        first = _first_of_each_key(left)
        new = {place: created(scope, uuid7(), draft, now) for place, draft in first.items()}
        added = await tx.texts.add(list(new.values()))
        fresh = {place: text for place, text in new.items() if text.name in added}
        await _enter(tx, list(fresh.values()))
        done |= {place: Taken(text.name, Outcome.CREATED) for place, text in fresh.items()}
        texts |= {text.name: text for text in fresh.values()}
        known = {place: draft for place, draft in first.items() if place not in fresh}
        if known:
            done |= await _bring_up_to_date(tx, scope, known, now, texts)
    return done


async def _enter(tx: Transaction, texts: Sequence[StoredText]) -> None:
    if texts:
        await tx.items.add([text.item for text in texts])
    if closed := [text.name for text in texts if text.closed]:
        await tx.leavers.close(closed)


async def _bring_up_to_date(
    tx: Transaction,
    scope: str,
    drafts: Mapping[int, Draft],
    now: datetime,
    texts: dict[str, StoredText],
) -> dict[int, Taken]:
    """What became of those that are there; others were deleted a moment ago."""
    found = await tx.texts.of_keys(scope, {_key(draft) for draft in drafts.values()})
    there = {place: found[_key(draft)] for place, draft in drafts.items() if _key(draft) in found}
    after = {place: updated(before, drafts[place], now) for place, before in there.items()}
    changed = [text for place, text in after.items() if text != there[place]]
    await _store(tx, {before.name: before for before in there.values()}, changed)
    texts |= {text.name: text for text in after.values()}
    names = {text.name for text in changed}
    return {
        place: Taken(text.name, Outcome.UPDATED if text.name in names else Outcome.DUPLICATE)
        for place, text in after.items()
    }


async def _store(
    tx: Transaction, before: Mapping[str, StoredText], changed: Sequence[StoredText]
) -> None:
    """Stores changed texts, and takes their items into and out of the queue."""
    await tx.texts.save(changed)
    was = [before[text.name] for text in changed]
    both = list(zip(was, changed, strict=True))
    if gone := [new.name for old, new in both if new.closed and not old.closed]:
        await tx.leavers.close(gone)
    if back := [new.name for old, new in both if old.closed and not new.closed]:
        await tx.leavers.reopen(back)
    other = {
        new.name: new.text_hash
        for old, new in both
        if new.text_hash != old.text_hash and not (new.closed or old.closed)
    }
    if other:
        await tx.queue.renew(other)


def _first_of_each_key(drafts: Mapping[int, Draft]) -> dict[int, Draft]:
    """The drafts that can be stored at once: those without an external id, and one of each."""
    first: dict[tuple[str, str], int] = {}
    for place, draft in drafts.items():
        if draft.external_id:
            first.setdefault(_key(draft), place)
    return {
        place: draft
        for place, draft in drafts.items()
        if not draft.external_id or first[_key(draft)] == place
    }


def _key(draft: Draft) -> tuple[str, str]:
    return draft.source, draft.external_id


async def _existing(tx: Transaction, name: str, *, lock: bool = False) -> StoredText:
    text = (await tx.texts.many([name], lock=lock)).get(name)
    if text is None:
        raise NotFound("item", name)
    return text


def _memory(taken: Sequence[Taken]) -> str:
    return json.dumps([[one.name, one.outcome.value] for one in taken])


def _remembered(known: str) -> list[Taken]:
    return [Taken(name, Outcome(outcome)) for name, outcome in json.loads(known)]
