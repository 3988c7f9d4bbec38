"""Sets of duplicates, what is to be kept, and how the verdicts are measured."""

from collections import Counter
from datetime import timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from services.clustering.domain.duplicate_quality import quality
from services.clustering.domain.duplicate_sets import (
    DuplicateSet,
    KnownPair,
    Reason,
    Worth,
    counts,
    duplicate_sets,
)
from services.clustering.domain.verdict import (
    MAKING_SETS,
    Evidence,
    Look,
    Thresholds,
    Verdict,
    verdict_of,
)
from tests.support.clock import NOON

SET = Thresholds(scene_cosine=0.7)
COPY = Evidence(look=Look(0.99, 1.0, 1.0, 0.0))
EDIT = Evidence(look=Look(0.7, 0.7, 1.0, 0.0))
SHOT = Evidence(cosine=0.95)
NAMES = [f"p{number}" for number in range(8)]


def worth(
    name: str,
    pixels: int = 100,
    *,
    posted: bool = False,
    scheduled: bool = False,
    minutes: int = 0,
) -> Worth:
    return Worth(name, posted, scheduled, pixels, None, NOON + timedelta(minutes=minutes))


def worths(**pixels: int) -> dict[str, Worth]:
    return {name: worth(name, count) for name, count in pixels.items()}


def shape(sets: list[DuplicateSet]) -> list[tuple[str, str, list[str]]]:
    return [(s.verdict.value, s.keeper, [other.name for other in s.others]) for s in sets]


def test_what_is_a_copy_of_another_is_in_no_further_set() -> None:
    pairs = [KnownPair("a", "b", COPY), KnownPair("b", "c", SHOT), KnownPair("a", "c", SHOT)]
    found = duplicate_sets(pairs, worths(a=3, b=2, c=1), SET)
    assert shape(found) == [("duplicate", "a", ["b"]), ("burst", "a", ["c"])]


def test_small_steps_make_no_chain() -> None:
    pairs = [KnownPair("a", "b", COPY), KnownPair("b", "c", COPY), KnownPair("c", "d", COPY)]
    found = duplicate_sets(pairs, worths(a=4, b=3, c=2, d=1), SET)
    assert shape(found) == [("duplicate", "a", ["b"]), ("duplicate", "c", ["d"])]


def test_a_decision_stands_above_the_evidence() -> None:
    known = worths(a=3, b=2, c=1)
    pairs = [
        KnownPair("a", "b", COPY, Verdict.DIFFERENT),
        KnownPair("a", "c", Evidence(), Verdict.VARIANT),
        KnownPair("b", "c", COPY),
    ]
    assert shape(duplicate_sets(pairs, known, SET)) == [("duplicate", "b", ["c"])]
    shown = duplicate_sets(pairs[:2], known, SET, reviewed=True)
    assert shape(shown) == [("variant", "a", ["c"])]


def test_two_that_a_person_called_different_are_in_no_set_together() -> None:
    nearer = Evidence(look=Look(1.0, 1.0, 1.0, 0.0))
    pairs = [
        KnownPair("a", "b", COPY),
        KnownPair("a", "c", nearer),
        KnownPair("b", "c", COPY, Verdict.DIFFERENT),
        KnownPair("a", "d", COPY),
    ]
    known = worths(a=4, b=3, c=2, d=1)
    for reviewed in (False, True):
        found = duplicate_sets(pairs, known, SET, reviewed=reviewed)
        assert shape(found) == [("duplicate", "a", ["c", "d"])]
    del known["c"]  # archived, say: the keeper has done with it
    assert shape(duplicate_sets(pairs, known, SET)) == [("duplicate", "a", ["b", "d"])]


def test_the_reason_is_what_the_keeper_is_ahead_in() -> None:
    pairs = [KnownPair("a", "b", COPY)]
    cases = {
        Reason.POSTED: [worth("a", 1, posted=True), worth("b", 9, scheduled=True)],
        Reason.SCHEDULED: [worth("a", 1, scheduled=True), worth("b", 9)],
        Reason.PIXELS: [worth("a", 9), worth("b", 1)],
        Reason.OLDEST: [worth("a", minutes=0), worth("b", minutes=1)],
        Reason.QUALITY: [
            Worth("a", False, False, 1, 0.9, NOON),
            Worth("b", False, False, 1, 0.8, NOON),
        ],
    }
    for reason, both in cases.items():
        (found,) = duplicate_sets(pairs, {each.name: each for each in both}, SET)
        assert (found.keeper, found.reason) == ("a", reason)


def test_photos_that_are_not_in_use_are_passed_over() -> None:
    assert duplicate_sets([KnownPair("a", "b", COPY)], worths(a=1), SET) == []


evidences = st.sampled_from([COPY, EDIT, SHOT, Evidence()])
decisions = st.none() | st.sampled_from(list(Verdict))
known_pairs = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(
        lambda pair: pair[0] < pair[1]
    ),
    st.tuples(evidences, decisions),
    max_size=20,
).map(lambda found: [KnownPair(*pair, *known) for pair, known in found.items()])
known_worths = st.lists(st.integers(1, 3), min_size=len(NAMES), max_size=len(NAMES)).map(
    lambda pixels: {name: worth(name, count) for name, count in zip(NAMES, pixels, strict=True)}
)


@given(pairs=known_pairs, known=known_worths, reviewed=st.booleans())
def test_sets_hold_what_is_the_same_to_their_keeper(
    pairs: list[KnownPair], known: dict[str, Worth], reviewed: bool
) -> None:
    sets = duplicate_sets(pairs, known, SET, reviewed=reviewed)
    verdicts = {
        frozenset((p.first, p.second)): p.decision or verdict_of(p.evidence, SET)
        for p in pairs
        if reviewed or p.decision is None
    }
    for each in sets:
        assert each.others
        for other in each.others:
            assert verdicts[frozenset((each.keeper, other.name))] is each.verdict
            assert known[each.keeper].rank < known[other.name].rank
    different = {frozenset((p.first, p.second)) for p in pairs if p.decision is Verdict.DIFFERENT}
    for each in sets:
        members = [each.keeper, *(other.name for other in each.others)]
        assert different.isdisjoint(map(frozenset, combinations(members, 2)))
    others = Counter(other.name for each in sets for other in each.others)
    assert all(count == 1 for count in others.values())
    assert sets == sorted(sets, key=lambda each: each.key)
    assert len({each.key for each in sets}) == len(sets)
    assert {verdict: count for verdict, (count, _) in counts(sets).items()} == {
        verdict: sum(each.verdict is verdict for each in sets) for verdict in MAKING_SETS
    }
    # Nothing that is a copy of something is left out.
    placed = {name for each in sets for name in (each.keeper, *(o.name for o in each.others))}
    for pair, verdict in verdicts.items():
        if verdict is Verdict.DUPLICATE:
            assert pair & placed


@given(pairs=known_pairs)
def test_the_order_of_pairs_does_not_matter(pairs: list[KnownPair]) -> None:
    known = {name: worth(name) for name in NAMES}
    assert duplicate_sets(pairs, known, SET) == duplicate_sets(pairs[::-1], known, SET)


def _looked(structure: float, decision: Verdict) -> KnownPair:
    return KnownPair("a", "b", Evidence(look=Look(structure, 1.0, 1.0, 0.0)), decision)


def test_a_threshold_is_suggested_that_keeps_the_precision() -> None:
    copies = [_looked(0.90 + n / 200, Verdict.DUPLICATE) for n in range(15)]
    others = [_looked(0.80 + n / 100, Verdict.DIFFERENT) for n in range(10)]
    found = quality(copies + others, SET)
    assert found.suggested_min_structure == 0.90
    assert (found.precision, found.recall) == (1.0, 5 / 15)
    # One that is no copy is in between: what is above it is found.
    among = [*copies, *others, _looked(0.93, Verdict.BURST)]
    suggested = quality(among, SET).suggested_min_structure
    assert suggested is not None
    assert 0.93 < suggested <= 0.935


def test_nothing_is_suggested_by_few_or_one_sided_reviews() -> None:
    copies = [_looked(0.96, Verdict.DUPLICATE) for _ in range(30)]
    assert quality(copies, SET).suggested_min_structure is None
    assert quality([*copies[:5], _looked(0.5, Verdict.BURST)], SET).suggested_min_structure is None
    nothing = quality([], SET)
    assert (nothing.pairs, nothing.precision, nothing.recall) == (0, None, None)
