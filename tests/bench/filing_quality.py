"""How well photos are filed by what they show: `python -m tests.bench.filing_quality [CARD]`.

The labelled shared photos arrive one after the other, as they do in an import: some of each pillar
under their pillar, the others, in random order, without one. Each knows the 20 that are nearest to
it among those that are there. Pillars are the 27 labels, or the four themes; "half" means that only
every other pillar has photos, so that for half of the others the right answer is the inbox. Words
of paths are left out. Without a card it measures the built-in model.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.catalog.domain.filing import Neighbour, distance_of, looked_at
from services.catalog.domain.photo import Filing, FilingState, Photo, Picture
from services.catalog.domain.pillar import Pillar
from services.catalog.settings import CatalogSettings
from services.embedding.repository import ModelRepository
from tests.bench.embedding_quality import embed_files, labelled_photos

NEAREST = 20
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENOUGH = CatalogSettings().filing_confidence
_ROUNDS = 20
_SEEDS = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """Vectors of unit length, what each photo shows, and the cosine of photos of one scene."""

    vectors: NDArray[np.float32]
    subjects: Sequence[str]
    scene_similarity: float


@dataclass(slots=True)
class Outcome:
    """``filed``, ``right`` and ``all``: photos. ``guesses``: first confidences, and if right."""

    all: int = 0
    filed_at_once: int = 0
    right_at_once: int = 0
    filed: int = 0
    right: int = 0
    guesses: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """The share of the filed photos that are under the right pillar."""
        return self.right / max(1, self.filed)

    @property
    def review(self) -> float:
        """The share of the photos that wait in the inbox."""
        return 1 - self.filed / max(1, self.all)

    @property
    def miscalibration(self) -> float:
        """How far confidence is from being right, on average, in ten bins."""
        guesses = np.array(self.guesses, dtype=float)
        bins = np.minimum(9, (guesses[:, 0] * 10).astype(int))
        gaps = [
            abs(np.subtract(*guesses[bins == b].mean(axis=0))) * sum(bins == b) for b in {*bins}
        ]
        return float(sum(gaps) / len(guesses))

    def __iadd__(self, other: "Outcome") -> "Outcome":
        self.all += other.all
        self.filed_at_once += other.filed_at_once
        self.right_at_once += other.right_at_once
        self.filed += other.filed
        self.right += other.right
        self.guesses += other.guesses
        return self


class Arrival:
    """One import: ``examples`` photos of each known pillar, then all others."""

    def __init__(self, shown: Shown, known: frozenset[str], examples: int, seed: int) -> None:
        self._shown = shown
        self._cosines = shown.vectors @ shown.vectors.T
        self._pillars = [Pillar("p", subject, subject, NOW, NOW) for subject in {*shown.subjects}]
        rng = np.random.default_rng(seed)
        subjects = np.array(shown.subjects)
        named = [
            rng.permutation(np.flatnonzero(subjects == subject))[:examples]
            for subject in sorted(known)
        ]
        self._named = [int(i) for i in np.concatenate(named)]
        self._rest = [int(i) for i in rng.permutation(len(subjects)) if i not in {*self._named}]
        self._photos: dict[int, Photo] = {}
        self._near: dict[int, set[int]] = {i: set() for i in range(len(subjects))}

    def run(self) -> Outcome:
        """What becomes of the photos that nobody named a pillar for."""
        outcome = Outcome(all=len(self._rest))
        for index in self._named:
            self._arrive(index, Filing())
        for index in self._rest:
            self._arrive(index, Filing(FilingState.PENDING))
            looked = self._look(index)
            outcome.guesses.append((looked.filing.confidence, self._is_right(index)))
        outcome.filed_at_once, outcome.right_at_once = self._count()
        for _ in range(_ROUNDS):
            before = self._count()
            for index in self._rest:
                if self._photos[index].filing.state is FilingState.REVIEW:
                    self._look(index)
            if self._count() == before:
                break
        outcome.filed, outcome.right = self._count()
        return outcome

    def _arrive(self, index: int, filing: Filing) -> None:
        there = np.array([*self._photos], dtype=int)
        for other in there[np.argsort(-self._cosines[index, there])][:NEAREST]:
            self._near[index].add(int(other))
            self._near[int(other)].add(index)
        picture = Picture("", "", 1, 1, 1, "")
        pillar = self._shown.subjects[index]
        self._photos[index] = Photo("p", str(index), pillar, picture, NOW, NOW, "", filing=filing)

    def _look(self, index: int) -> Photo:
        # No pillar is known of it: a photo stays where it is if nothing speaks for any.
        photo = replace(self._photos[index], pillar="")
        neighbours = [
            self._neighbour(index, other)
            for other in self._near[index]
            if self._photos[other].filing.settled
        ]
        self._photos[index] = looked_at(photo, neighbours, self._pillars, ENOUGH, NOW)
        return self._photos[index]

    def _neighbour(self, index: int, other: int) -> Neighbour:
        photo, similarity = self._photos[other], float(self._cosines[index, other])
        distance = distance_of(similarity, self._shown.scene_similarity)
        confirmed = photo.filing.state is FilingState.CONFIRMED
        return Neighbour(photo.pillar, photo.id, similarity, distance, confirmed)

    def _is_right(self, index: int) -> bool:
        return self._photos[index].pillar == self._shown.subjects[index]

    def _count(self) -> tuple[int, int]:
        filed = [i for i in self._rest if self._photos[i].filing.state is FilingState.PROPOSED]
        return len(filed), sum(map(self._is_right, filed))


def measured(shown: Shown, examples: int, *, half: bool = False, seeds: int = _SEEDS) -> Outcome:
    """The outcomes of imports with that many examples a pillar, added up."""
    subjects = sorted({*shown.subjects})
    known = frozenset(subjects[::2] if half else subjects)
    whole = Outcome()
    for seed in range(seeds):
        whole += Arrival(shown, known, examples, seed).run()
    return whole


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        repository = ModelRepository.in_data(Path(folder))
        model = repository.at(Path(sys.argv[1])) if sys.argv[1:] else repository.built_in()
        rows = labelled_photos()
        vectors = asyncio.run(embed_files(model, [row["file"] for row in rows]))
    scene = model.card.same_scene_cosine
    labels = Shown(vectors, [row["label"] for row in rows], scene)
    themes = Shown(vectors, [row["theme"] for row in rows], scene)
    print(f"{model.card.id}, confidence {ENOUGH}, {_SEEDS} imports each\n")
    print("| pillars | examples each | photos | filed at once | of these right | inbox in the end |"
          " filed right in the end | confidence is off by |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for name, shown, examples, half in (
        ("27 labels", labels, 5, False),
        ("27 labels", labels, 10, False),
        ("4 themes", themes, 5, False),
        ("4 themes", themes, 10, False),
        ("4 themes", themes, 20, False),
        ("2 of 4 themes", themes, 10, True),
        ("14 of 27 labels", labels, 5, True),
    ):
        found = measured(shown, examples, half=half)
        print(
            f"| {name} | {examples} | {found.all // _SEEDS} "
            f"| {found.filed_at_once / found.all:.1%} "
            f"| {found.right_at_once / max(1, found.filed_at_once):.1%} "
            f"| {found.review:.1%} | {found.precision:.1%} | {found.miscalibration:.3f} |"
        )


if __name__ == "__main__":
    main()
