"""A run that follows what is new: it reads and writes what came, went and was moved."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from libs.rpc.paging import PageRequest
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.hero import SAMPLE as HERO_SAMPLE
from services.clustering.algorithms.memory import Memory
from services.clustering.algorithms.stepping import Step
from services.clustering.algorithms.titles import SAMPLE as TITLE_SAMPLE
from services.clustering.algorithms.titles import Named
from services.clustering.domain.cluster import Cluster, ClusterState, Member, ScopeState
from services.clustering.domain.draft import Draft
from services.clustering.domain.edit import Place
from services.clustering.domain.history import Diff
from services.clustering.domain.intake import Intake, News, Vectors, expected, intake_of
from services.clustering.domain.item import Collection, Item
from services.clustering.domain.outcome import Found, Outcome, outcome_of
from services.clustering.domain.run import Run, Stats
from services.clustering.domain.version import choose_hero
from services.clustering.ports import Transaction
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.naming import Sample, due_names, make_names, noun_of

_MANY = 5_000


@dataclass(frozen=True, slots=True)
class Stepping:
    """What a step needs."""

    worker: Worker
    attempt: Attempt
    engine: Engine
    collection: Collection


async def read_news(worker: Worker, run: Run, seen: ScopeState, collection: Collection) -> News:
    """What came, went and was moved since the last run of a scope."""
    async with worker.store.read() as tx:
        waiting = await tx.waiting.items(seen.scope, collection.name, run.filter)
        departures = await tx.departures.waiting(seen.scope)
        if not (waiting or departures):
            return News({}, frozenset(), (), (), (), {}, {})
        moved = await tx.versions.moved(seen.scope, seen.memory_version)
        names = [item.name for item in waiting]
        pairs = await tx.pairs.of(collection.name, names)
        there = {name for pair in pairs for name in (pair.first, pair.second)}
        concerned = {d.cluster_id for d in departures if d.cluster_id}
        concerned |= {id for each in moved for id in (each.before, each.now) if id}
        scene = await tx.people.scene(
            seen.scope,
            sorted(concerned),
            sorted({*names, *there, *(each.item for each in moved)}),
        )
        items = await tx.items.many([each.item for each in moved], collection.name)
    return News(
        items={**items, **{item.name: item for item in waiting}},
        waiting=frozenset(names),
        departures=tuple(departures),
        moved=tuple(moved),
        pairs=tuple(pairs),
        places=scene.places,
        keys={id: cluster.key for id, cluster in scene.clusters.items() if not cluster.curated},
    )


async def step_on(
    stepping: Stepping, seen: ScopeState, memory: Memory, news: News
) -> Draft | int | None:
    """The next version; the number of items without a vector if there is nothing else, None if all
    is to be grouped anew."""
    worker, attempt, engine = stepping.worker, stepping.attempt, stepping.engine
    threshold = stepping.collection.duplicate_threshold
    # Not read in vain where there are so many that some without a vector decide nothing.
    many = len(news.waiting) > _MANY
    if many and engine.outgrown(memory, *expected(news, threshold)) is not None:
        return None
    await attempt.enter("fetch", len(news.items))
    vectors = await _vectors(stepping, news.items.values())
    intake = intake_of(news, vectors, threshold)
    missing = len(news.waiting) - len(intake.settled)
    if not (intake.settled or news.departures):
        return missing
    if engine.outgrown(memory, len(intake.newcomers), len(intake.shifts)) is not None:
        return None
    await attempt.enter("fit", len(intake.settled))
    ids = [news.items[name].point_id for name in intake.newcomers]
    rows = _stacked([vectors[name] for name in intake.newcomers])
    step = await worker.pool.run(engine.step, memory, ids, rows, intake.shifts)
    if step.refit is not None:
        return None
    await attempt.enter("describe", len(step.touched))
    found, outcome, items = await _outcome(stepping, seen, memory, news, intake, vectors, step)
    after = step.memory
    if outcome.corrections:
        corrected = await worker.pool.run(engine.step, after, [], [], outcome.corrections)
        after = corrected.memory
    return await _draft(stepping, seen, news, intake, found, outcome, items, after, missing)


async def _outcome(
    stepping: Stepping,
    seen: ScopeState,
    memory: Memory,
    news: News,
    intake: Intake,
    vectors: Vectors,
    step: Step,
) -> tuple[Found, Outcome, dict[str, Item]]:
    """What follows, and all items that changed or may be moved on, by name."""
    names = {item.point_id: name for name, item in news.items.items()}
    # What waits may leave a cluster that the memory never had it in, as copies do.
    there = news.waiting & news.places.keys()
    homes = {news.key_of(news.places[name].cluster_id) for name in there}
    keys = sorted({*step.touched, *step.merged, *step.retired, *homes} - {""})
    threshold = stepping.collection.duplicate_threshold
    async with stepping.worker.store.read() as tx:
        old = await tx.items.by_points(
            [id for id in step.places if id not in names], stepping.collection.name
        )
        names |= {id: item.name for id, item in old.items()}
        waited = [item.name for item in old.values()]
        pairs = await tx.pairs.of(stepping.collection.name, waited) if waited else []
        clusters = await tx.clusters.by_keys(seen.scope, keys)
        ended = [clusters[key].id for key in (*step.merged, *step.retired) if key in clusters]
        partners = {name for pair in pairs for name in (pair.first, pair.second)}
        scene = await tx.people.scene(seen.scope, [], sorted(partners), ended)
        curation = await tx.people.curation(seen.scope, seen.version)
        members = {
            id: tuple(p for p in scene.places.values() if p.cluster_id == id) for id in ended
        }
        loose = {place.item for places in members.values() for place in places}
        more = await tx.items.many(sorted(loose - news.items.keys()), stepping.collection.name)
    followers = {
        copy: original
        for pair in pairs
        if pair.score >= threshold
        for copy, original in ((pair.first, pair.second), (pair.second, pair.first))
        if original in waited
        and copy not in waited
        and copy not in scene.places
        and copy not in news.items
    }
    held = dict(vectors)
    held |= await _vectors(stepping, more.values())
    pool = dict(zip(memory.pool.ids.tolist(), memory.pool.vectors, strict=True))
    held |= {name: np.asarray(pool[id], np.float32) for id, name in names.items() if id in pool}
    names |= {item.point_id: name for name, item in more.items()}
    # Whoever was deleted since the pool took it has a departure on the way.
    step = replace(step, places={id: p for id, p in step.places.items() if id in names})
    found = Found(
        step=step,
        names=names,
        copies={**intake.copies, **followers},
        clusters=clusters,
        members=members,
        places={**scene.places, **news.places},
        vectors=held,
        curation=curation,
    )
    outcome = outcome_of(found, seen.scope, stepping.worker.clock.now())
    items = {**news.items, **{item.name: item for item in old.values()}, **more}
    return found, outcome, items


async def _draft(
    stepping: Stepping,
    seen: ScopeState,
    news: News,
    intake: Intake,
    found: Found,
    outcome: Outcome,
    items: Mapping[str, Item],
    memory: Memory,
    missing: int,
) -> Draft:
    places = found.places
    came = {id: len(outcome.joined(id)) for id in outcome.clusters}
    left = _left(outcome, places)
    went = [d.cluster_id for d in news.departures if d.cluster_id]
    changed = {id: came[id] + left.get(id, 0) + went.count(id) for id in outcome.clusters}
    clusters = _with_cohesion(outcome.clusters, memory)
    async with stepping.worker.store.read() as tx:
        clusters = await _with_heroes(tx, stepping, seen, clusters, found, outcome, items)
        clusters, named = await _with_titles(tx, stepping, seen, clusters, found, outcome, changed)
    moved = {id for id in (*came, *left) if came.get(id) or left.get(id)}
    known = moved - {*outcome.born, *outcome.retired}
    stats = Stats(
        born=len(outcome.born),
        updated=len(known),
        retired=len(outcome.retired),
        merged=len(outcome.merged),
        missing=missing,
    )
    changes = outcome.changes.values()
    copies = sum(bool(change.duplicate_of) for change in changes)
    copies -= sum(c.item in places and bool(places[c.item].duplicate_of) for c in changes)
    return Draft(
        seen=seen,
        collection=stepping.collection.name,
        changes=outcome.changes,
        clusters=tuple(clusters.values()),
        retired=outcome.retired,
        merged=outcome.merged,
        diff=Diff(born=outcome.born, merged=outcome.merged, retired=outcome.retired),
        settled=intake.settled,
        departed=tuple(departure.item for departure in news.departures),
        memory=memory,
        next_key=memory.next_key,
        stats=stats,
        named=named,
        changed=changed,
        copies=copies,
    )


def _left(outcome: Outcome, places: Mapping[str, Place]) -> dict[str, int]:
    """How many members left each cluster for another one or none."""
    left: dict[str, int] = {}
    for change in outcome.changes.values():
        place = places.get(change.item)
        if place is not None and place.cluster_id != change.cluster_id:
            left[place.cluster_id] = left.get(place.cluster_id, 0) + 1
    return left


def _with_cohesion(clusters: Mapping[str, Cluster], memory: Memory) -> dict[str, Cluster]:
    known = {key: number for number, key in enumerate(memory.keys.tolist())}
    lengths = np.linalg.norm(memory.sums.astype(np.float64), axis=1)
    means = np.clip(lengths / np.maximum(memory.components.counts, 1.0), 0.0, 1.0)
    return {
        id: replace(
            cluster,
            state=ClusterState.ACTIVE if cluster.state is ClusterState.RETIRED else cluster.state,
            cohesion=float(means[known[cluster.key]]) if cluster.key in known else cluster.cohesion,
        )
        for id, cluster in clusters.items()
    }


async def _with_heroes(
    tx: Transaction,
    stepping: Stepping,
    seen: ScopeState,
    clusters: Mapping[str, Cluster],
    found: Found,
    outcome: Outcome,
    items: Mapping[str, Item],
) -> dict[str, Cluster]:
    """Newcomers stand against the hero there is; where there is none, all that are most central."""
    heads = {
        id: cluster.hero.item
        for id, cluster in clusters.items()
        if cluster.hero and not outcome.leaves(cluster.hero.item, id)
    }
    headless = [id for id in clusters if id not in heads and id not in outcome.born]
    there = await tx.clusters.candidates([], sorted(heads.values()))
    central = {
        id: (await tx.clusters.members(id, seen.version, PageRequest(HERO_SAMPLE))).rows
        for id in headless
    }
    known = {**{c.item.name: c.item for c in there}, **items}
    wanted = {member.item for members in central.values() for member in members} - known.keys()
    known |= await tx.items.many(sorted(wanted))
    now = stepping.worker.clock.now()
    shown = {}
    for id, cluster in clusters.items():
        members: dict[str, Member] = {m.item: m for m in central.get(id, ())}
        members |= {c.item.name: c.member for c in there if c.cluster_id == id}
        members = {name: member for name, member in members.items() if not outcome.leaves(name, id)}
        members |= {member.item: member for member in outcome.joined(id)}
        hero = choose_hero(
            [*members.values()],
            known,
            cluster.hero,
            now,
            cluster.pinned_hero,
            found.curation.vetoed.get(id, frozenset()),
        )
        shown[id] = replace(cluster, hero=hero)
    return shown


async def _with_titles(
    tx: Transaction,
    stepping: Stepping,
    seen: ScopeState,
    clusters: Mapping[str, Cluster],
    found: Found,
    outcome: Outcome,
    changed: Mapping[str, int],
) -> tuple[dict[str, Cluster], Mapping[str, Named]]:
    """Names for the clusters that are new or that changed much, unless people gave them one."""
    free = {id: changed[id] for id, cluster in clusters.items() if not cluster.title_pinned}
    samples = {}
    for id in sorted(await due_names(tx, free)):
        members = {m.item: m for m in outcome.joined(id)}
        size = len(members)
        if id not in outcome.born:
            size = max(clusters[id].member_count + changed[id], size)
            page = await tx.clusters.members(id, seen.version, PageRequest(TITLE_SAMPLE))
            members |= {m.item: m for m in page.rows if m.item not in outcome.changes}
        central = sorted(members.values(), key=lambda m: (-(m.similarity or 0.0), m.item))
        names = [member.item for member in central[:TITLE_SAMPLE]]
        samples[id] = Sample(size, clusters[id].title, names)
    if not samples:
        return {**clusters}, {}
    others = await tx.namings.titles(seen.scope, list(samples))
    noun = noun_of(seen.scope)
    pool = stepping.worker.pool
    named = await make_names(tx, pool, seen.scope, samples, noun, [*others, *found.curation.titles])
    titled = {
        id: replace(cluster, title=named[id].title) if id in named else cluster
        for id, cluster in clusters.items()
    }
    return titled, named


async def _vectors(stepping: Stepping, items: Iterable[Item]) -> dict[str, np.ndarray]:
    """The vectors of items that have one, by name."""
    points = {item.point_id: item.name for item in items}
    if not points:
        return {}
    ids, rows = await stepping.worker.vectors.of_points(stepping.collection.name, sorted(points))
    return {points[id]: row for id, row in zip(ids, rows, strict=True)}


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(rows) if rows else np.empty((0, 1), np.float32)
