"""How often a hero is of its cluster's label, and whether spoiled copies are ever chosen.

Into each cluster of the labelled shared photos a copy of its own best photo is planted that is
blurred, dark, or tiny. It is as central as its original and newer than everything else, so that
nothing but its technical quality speaks against it.

Run: python -m tests.bench.hero_quality
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from libs.image_quality import MEASURES, Sample
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.hero import Candidate, Hero, choose_hero, top_heroes
from services.clustering.algorithms.prep import unit
from tests.integration.clustering.labelled_photos import LabelledPhotos, load
from tests.support.shared import SHARED

NOW = datetime(2026, 5, 1, tzinfo=UTC)
_SIDE = 512


@dataclass(frozen=True)
class Picture:
    """A thumbnail as the catalog makes it, and the size of its picture."""

    thumbnail: Image.Image
    width: int
    height: int

    def spoiled(self, change: Callable[[Image.Image], Image.Image]) -> "Picture":
        """The same size, with a thumbnail that was changed."""
        return replace(self, thumbnail=change(self.thumbnail))

    def tiny(self) -> "Picture":
        """A copy 96 pixels wide."""
        height = max(1, 96 * self.height // self.width)
        return Picture(self.thumbnail.resize((96, height)), 96, height)


SPOILED: dict[str, Callable[[Picture], Picture]] = {
    "blurred, 1 % of the width": lambda p: p.spoiled(
        lambda i: i.filter(ImageFilter.GaussianBlur(i.width / 100))
    ),
    "blurred, 2 % of the width": lambda p: p.spoiled(
        lambda i: i.filter(ImageFilter.GaussianBlur(i.width / 50))
    ),
    "dark": lambda p: p.spoiled(lambda i: ImageEnhance.Brightness(i).enhance(0.12)),
    "96 pixels wide": Picture.tiny,
}


@dataclass(frozen=True)
class Measured:
    """What the catalog measures on a photo."""

    quality: float
    sharpness: float
    exposure: float
    pixels: int


@cache
def _picture(path: Path) -> Picture:
    with Image.open(path) as image:
        width, height = ImageOps.exif_transpose(image).size if image.getexif() else image.size
        image.draft("RGB", (_SIDE, _SIDE))
        thumbnail = ImageOps.exif_transpose(image).convert("RGB")
    thumbnail.thumbnail((_SIDE, _SIDE))
    return Picture(thumbnail, width, height)


def measured(picture: Picture) -> Measured:
    """As the catalog does it."""
    sample = Sample(picture.thumbnail, picture.width, picture.height)
    values = {name: measure(sample) for name, measure in MEASURES.items()}
    quality = sum(values.values()) / len(values)
    pixels = picture.width * picture.height
    return Measured(quality, values["sharpness"], values["exposure"], pixels)


@cache
def _measured(path: Path) -> Measured:
    return measured(_picture(path))


@dataclass(frozen=True)
class Cluster:
    """A cluster of labelled photos, ready for choosing its hero."""

    candidates: Sequence[Candidate]
    vectors: dict[str, npt.NDArray[np.float32]]
    majority: str


def clusters(photos: LabelledPhotos, shared: Path = SHARED) -> list[Cluster]:
    """What the engine finds, with what is known of each photo; all of one age."""
    rows = dict(zip(photos.ids, unit(photos.vectors), strict=True))
    label = dict(zip(photos.ids, photos.labels, strict=True))
    found = []
    for group in Engine().fit(photos.ids, photos.vectors).groups:
        candidates = [
            _candidate(item, similarity, _measured(shared / "photos" / item))
            for item, similarity in zip(group.members, group.similarities, strict=True)
        ]
        majority = Counter(label[item] for item in group.members).most_common(1)[0][0]
        found.append(Cluster(candidates, {m: rows[m] for m in group.members}, majority))
    return found


def _candidate(item: str, similarity: float, measures: Measured) -> Candidate:
    return Candidate(
        item,
        quality=measures.quality,
        centrality=similarity,
        created_at=NOW - timedelta(days=30),
        sharpness=measures.sharpness,
        exposure=measures.exposure,
        pixels=measures.pixels,
    )


def planted(
    cluster: Cluster, spoil: Callable[[Picture], Picture], shared: Path = SHARED
) -> Hero | None:
    """The hero of a cluster with a spoiled copy of its hero in it, whose id is "planted"."""
    best = choose_hero(cluster.candidates, NOW)
    assert best is not None
    original = next(c for c in cluster.candidates if c.id == best.id)
    copy = _candidate("planted", 1.0, measured(spoil(_picture(shared / "photos" / best.id))))
    copy = replace(copy, centrality=original.centrality, created_at=NOW)
    return choose_hero([*cluster.candidates, copy], NOW)


@dataclass(frozen=True)
class Precision:
    """The share of heroes of the label that their cluster mostly shows: of all clusters, of those
    of which half the members at least have one label (``clear`` of ``clusters``), and of the five
    heroes of these."""

    everywhere: float
    clearly: float
    five: float
    clear: int
    clusters: int


def precision(found: Sequence[Cluster], photos: LabelledPhotos) -> Precision:
    """How often heroes show what their cluster shows."""
    label = dict(zip(photos.ids, photos.labels, strict=True))
    all_of_them, clear, five = [], [], []
    for cluster in found:
        hero = choose_hero(cluster.candidates, NOW)
        assert hero is not None
        right = label[hero.id] == cluster.majority
        all_of_them.append(right)
        shares = [label[candidate.id] == cluster.majority for candidate in cluster.candidates]
        if np.mean(shares) >= 0.5:
            clear.append(right)
            best = top_heroes(cluster.candidates, cluster.vectors, NOW, 5, 0.7)
            five += [label[each.id] == cluster.majority for each in best]
    return Precision(
        float(np.mean(all_of_them)),
        float(np.mean(clear)),
        float(np.mean(five)),
        len(clear),
        len(found),
    )


def main() -> None:
    for model in ("mobilenet-v2-1.0-224", "mobilenet-edgetpu-1.0-224"):
        photos = load(SHARED, model)
        found = clusters(photos)
        print(f"\n{model}: {precision(found, photos)}")
        print("| planted copy of the hero | clusters | chosen |")
        print("|---|---|---|")
        for name, spoil in SPOILED.items():
            heroes = [planted(cluster, spoil) for cluster in found]
            chosen = sum(hero is not None and hero.id == "planted" for hero in heroes)
            print(f"| {name} | {len(heroes)} | {chosen} |")


if __name__ == "__main__":
    main()
