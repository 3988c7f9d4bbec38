"""Naming the clusters of a new version, those that are new or that changed much."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from libs.aio import BlockingPool
from services.clustering.algorithms.titles import (
    Background,
    Labels,
    Named,
    Terms,
    Unnamed,
    is_due,
    name_groups,
)
from services.clustering.algorithms.words import words_of_text
from services.clustering.domain.item import modality_of
from services.clustering.domain.words import labels_of
from services.clustering.ports import Transaction

# Clusters whose words are read at once.
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """A cluster to be named: its size, its title so far, "" if none, and its most central items,
    titles.SAMPLE at most."""

    size: int
    title: str
    items: Sequence[str]


def noun_of(scope: str) -> str:
    """What the items of a scope are called in a title."""
    return modality_of(scope).value


async def due_names(tx: Transaction, changed: Mapping[str, int]) -> set[str]:
    """Which of these clusters are to be named: those that never were, and those of which much came
    or left since. ``changed`` is how much did so now, by id."""
    known = await tx.namings.of(changed.keys())
    return {
        id
        for id, count in changed.items()
        if id not in known or is_due(known[id].size, known[id].changed + count)
    }


async def make_names(
    tx: Transaction,
    pool: BlockingPool,
    scope: str,
    wanted: Mapping[str, Sample],
    noun: str,
    taken: Collection[str],
) -> dict[str, Named]:
    """Names for these clusters, by id; ``taken`` are titles that none may have. What the other
    clusters of the scope are about is read as it stands."""
    ids = list(wanted)
    terms: dict[str, Terms] = {}
    for start in range(0, len(ids), _BATCH):
        part = {id: wanted[id].items for id in ids[start : start + _BATCH]}
        words = await tx.namings.words({item for items in part.values() for item in items})
        terms |= await pool.run(_counted, part, words)
    asked = {term for each in terms.values() for term in each.candidates()}
    asked |= {word for sample in wanted.values() for word in words_of_text(sample.title)}
    background = await tx.namings.background(scope, asked, ids)
    return await pool.run(_named, wanted, background, taken, noun, terms)


async def settle_names(
    tx: Transaction,
    scope: str,
    named: Mapping[str, Named],
    changed: Mapping[str, int],
    gone: Collection[str] = (),
) -> None:
    """Remembers what was named, how much of the others changed, and forgets those that are gone."""
    if gone:
        await tx.namings.forget(gone)
    if named:
        await tx.namings.put(scope, named)
    rest = {id: count for id, count in changed.items() if count and id not in named}
    if rest:
        await tx.namings.add_changes(rest)


def _counted(
    samples: Mapping[str, Sequence[str]], words: Mapping[str, Sequence[str]]
) -> dict[str, Terms]:
    return {
        id: Terms.of([labels_of(words[item]) for item in items if item in words])
        for id, items in samples.items()
    }


def _named(
    wanted: Mapping[str, Sample],
    background: Background,
    taken: Collection[str],
    noun: str,
    terms: Mapping[str, Terms],
) -> dict[str, Named]:
    nothing: Sequence[Labels] = ()
    groups = {id: Unnamed(sample.size, nothing, sample.title) for id, sample in wanted.items()}
    return name_groups(groups, background, taken, noun, terms)
