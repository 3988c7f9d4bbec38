"""Writing about clusters in the background, after a version changed them.

A row of ``summaries`` is the truth: due since when, who has it, what was written. Only when other
members represent a cluster than those that were written about is anything written anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from libs.aio import BlockingPool
from libs.cancellation import see_through
from libs.clock import Clock
from libs.errors import ColonnadeError, NotFound
from libs.lease import Lease, LeaseLost, kept
from libs.rpc.paging import PageRequest
from services.clustering.algorithms.representatives import POOL, representatives
from services.clustering.algorithms.titles import SAMPLE, shared_terms
from services.clustering.domain.cluster import Cluster, ClusterState, Member
from services.clustering.domain.digest import (
    MAX_ERROR,
    MAX_EXCERPT,
    MAX_REPRESENTATIVES,
    Digest,
    DigestSource,
    DigestState,
    Excerpt,
    Subject,
    Text,
    cut,
    pause_after,
    repository_of,
    template,
)
from services.clustering.domain.item import Item, Modality, modality_of
from services.clustering.domain.words import excerpt_of, labels_of
from services.clustering.ports import Store, Transaction, Vectors
from services.clustering.ports.naming import DueSummary, NotWritten, Summariser
from services.clustering.usecases.naming import noun_of

log = logging.getLogger(__name__)

_TERMS = 5
_BATCH = 20
_BATCHES = 25
_PICTURES = 4
_TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Clerk:
    """What the writing needs of the world. ``writers`` holds a summariser for each kind of items
    that has one; ``picture`` reads the thumbnail of a key and may raise NotFound; ``at_once``
    clusters are in work together."""

    store: Store
    vectors: Vectors
    writers: Mapping[Modality, Summariser]
    picture: Callable[[str], Awaitable[bytes]]
    pool: BlockingPool
    clock: Clock
    owner: str
    at_once: int


async def summarise_due(clerk: Clerk) -> int:
    """Looks at clusters that changed, some hundreds at most; answers how many. What cannot be done
    now is due again after a while."""
    async with clerk.store.begin() as tx:
        await tx.summaries.notice(clerk.clock.now())
        await tx.commit()
    room = asyncio.Semaphore(clerk.at_once)

    async def one(cluster_id: str) -> bool:
        async with room:
            try:
                return await summarise_cluster(clerk, cluster_id)
            except LeaseLost:
                return False
            except ColonnadeError as error:
                log.warning("cluster %s waits for its summary: %s", cluster_id, error.message)
                return False
            except Exception:
                log.exception("cluster %s waits for its summary", cluster_id)
                return False

    done = 0
    for _ in range(_BATCHES):
        async with clerk.store.read() as tx:
            due = await tx.summaries.due(clerk.clock.now(), _BATCH)
        done += sum(await asyncio.gather(*map(one, due)))
        if len(due) < _BATCH:
            break
    return done


async def summarise_cluster(clerk: Clerk, cluster_id: str) -> bool:
    """Looks at one cluster; False if it is not due or somebody else has it. Whatever goes wrong, it
    waits for its next turn. Raises LeaseLost, Unavailable."""
    async with clerk.store.begin() as tx:
        taken = await tx.summaries.take(cluster_id, clerk.owner, clerk.clock.now())
        await tx.commit()
    if taken is None:
        return False
    due, lease = taken

    async def beat() -> None:
        async with clerk.store.begin() as tx:
            await tx.summaries.renew(cluster_id, lease)
            await tx.commit()

    try:
        async with kept(beat):
            await _look_at(clerk, due, lease)
    except LeaseLost:
        raise
    except asyncio.CancelledError:
        await see_through(_give_back(clerk, due, lease, None))
        raise
    except Exception:
        failed = replace(due, failures=due.failures + 1)
        again = clerk.clock.now() + pause_after(failed.failures)
        await see_through(_give_back(clerk, failed, lease, again))
        raise
    return True


async def _look_at(clerk: Clerk, due: DueSummary, lease: Lease) -> None:
    async with clerk.store.read() as tx:
        facts = await _facts(tx, due)
    if facts is None:
        async with clerk.store.begin() as tx:
            await tx.summaries.drop(due, lease)
            await tx.commit()
        return
    digest, failures = await _written(clerk, due, facts)
    again = clerk.clock.now() + pause_after(failures) if failures else None
    async with clerk.store.begin() as tx:
        await tx.summaries.put(replace(due, failures=failures), lease, digest, again)
        await tx.commit()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a cluster: its most central members, what they are, and the generation of
    vectors that they are compared in, if there is one."""

    cluster: Cluster
    members: Sequence[Member]
    items: Mapping[str, Item]
    repository: str
    collection: str


async def _facts(tx: Transaction, due: DueSummary) -> _Facts | None:
    """None if there is nothing to write about."""
    cluster = (await tx.people.by_ids(due.scope, [due.cluster_id])).get(due.cluster_id)
    if cluster is None or cluster.state is ClusterState.RETIRED:
        return None
    version = (await tx.clusters.scope(due.scope)).version
    page = await tx.clusters.members(cluster.id, version, PageRequest(SAMPLE))
    members = [member for member in page.rows if not member.duplicate_of]
    items = await tx.items.many(member.item for member in members)
    members = [member for member in members if member.item in items]
    if not members:
        return None
    modality = modality_of(due.scope)
    active = await tx.collections.active(modality)
    repository = ""
    if modality is Modality.TEXTS:
        texts = await tx.texts.many([member.item for member in members])
        repository = repository_of(text.repository for text in texts.values())
    return _Facts(cluster, members, items, repository, active.name if active else "")


async def _written(clerk: Clerk, due: DueSummary, facts: _Facts) -> tuple[Digest, int]:
    """The digest as it is to be, and how often in a row the model failed by now."""
    modality = modality_of(due.scope)
    writer = clerk.writers.get(modality)
    subject = await _subject(clerk, facts, noun_of(due.scope))
    hash = subject.hash(writer.name if writer else _TEMPLATE)
    before = due.digest
    if hash == before.hash and not before.error_message:
        return replace(before, state=DigestState.OK), 0
    digest = replace(
        before,
        repository=facts.repository,
        representatives=tuple(excerpt.item for excerpt in subject.excerpts),
        hash=hash,
        update_time=clerk.clock.now(),
    )
    if writer is None:
        return _by_template(digest, subject, DigestState.OK, ""), 0
    try:
        pictures = await _pictures(clerk, facts, subject) if writer.sees else []
        text = await writer.write(subject, pictures)
    except NotWritten as error:
        message = cut(str(error), MAX_ERROR)
        return _by_template(digest, subject, DigestState.FALLBACK, message), due.failures + 1
    return _by_model(digest, text, writer.name), 0


def _by_template(digest: Digest, subject: Subject, state: DigestState, message: str) -> Digest:
    return replace(
        digest,
        text=template(subject),
        state=state,
        source=DigestSource.TEMPLATE,
        model="",
        error_message=message,
    )


def _by_model(digest: Digest, text: Text, model: str) -> Digest:
    return replace(
        digest,
        text=text,
        state=DigestState.OK,
        source=DigestSource.MODEL,
        model=model,
        error_message="",
    )


async def _subject(clerk: Clerk, facts: _Facts, noun: str) -> Subject:
    chosen = await _representatives(clerk, facts)
    labels = [labels_of(facts.items[member.item].words) for member in facts.members]
    terms = await clerk.pool.run(shared_terms, labels, _TERMS)
    excerpts = tuple(_excerpt(name, facts.items[name].words) for name in chosen)
    cluster = facts.cluster
    return Subject(noun, cluster.member_count, cluster.title, tuple(terms), excerpts)


def _excerpt(item: str, words: Sequence[str]) -> Excerpt:
    return Excerpt(item, cut(excerpt_of(words), MAX_EXCERPT), quotable=bool(labels_of(words).texts))


async def _representatives(clerk: Clerk, facts: _Facts) -> Sequence[str]:
    names = {facts.items[member.item].point_id: member.item for member in facts.members[:POOL]}
    if not facts.collection:
        return list(names.values())[:MAX_REPRESENTATIVES]
    found, vectors = await clerk.vectors.of_points(facts.collection, list(names))
    if not found:
        return list(names.values())[:MAX_REPRESENTATIVES]
    places = {point: place for place, point in enumerate(names)}
    order = sorted(range(len(found)), key=lambda row: places[found[row]])
    central = [names[found[row]] for row in order]
    return await clerk.pool.run(representatives, central, vectors[order], MAX_REPRESENTATIVES)


async def _pictures(clerk: Clerk, facts: _Facts, subject: Subject) -> list[bytes]:
    found = []
    for excerpt in subject.excerpts[:_PICTURES]:
        with suppress(NotFound):
            found.append(await clerk.picture(facts.items[excerpt.item].blob_key))
    return found


async def _give_back(clerk: Clerk, due: DueSummary, lease: Lease, again: datetime | None) -> None:
    with suppress(ColonnadeError):
        async with clerk.store.begin() as tx:
            await tx.summaries.give_back(due, lease, again)
            await tx.commit()
