"""How good a model is on the shared photos: `python -m tests.bench.embedding_quality [CARD]`.

Without a card it measures the built-in model: what `colonnade eval embedding` measures on the
labelled themes, and what the thresholds of a card are made of: the cosines that unrelated pairs
reach, and those of copies and of shots of one scene.
"""

import asyncio
import csv
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.embedding.model import Embedding, open_embedder
from services.embedding.repository import ModelRepository, StoredModel
from services.embedding.scores import retrieval
from tests.support.shared import SHARED

THEMES = ("clothing", "food", "plants", "objects")
_MADE_FROM_OTHERS = ("near-duplicates", "orientation", "originals", "awkward")

Vectors = NDArray[np.float32]
Row = dict[str, str]


def labelled_photos(themes: tuple[str, ...] = THEMES) -> list[Row]:
    """Rows of the table of labels with one of the ``themes``."""
    return [row for row in _table("labels.csv") if row["theme"] in themes]


async def embed_files(model: StoredModel, names: list[str]) -> Vectors:
    """The vectors of shared photos, [n, dimension]."""
    return await embed_bytes(model, [_photo(name) for name in names])


async def embed_bytes(model: StoredModel, files: list[bytes]) -> Vectors:
    """The vectors of image files, [n, dimension]."""
    async with open_embedder(model) as embedder:
        results = await embedder.embed_images(files)
    failed = [result for result in results if not isinstance(result, Embedding)]
    assert not failed, failed
    return np.stack([result.vector for result in results if isinstance(result, Embedding)])


def _photo(name: str) -> bytes:
    return (SHARED / "photos" / name).read_bytes()


def _table(name: str) -> list[Row]:
    with (SHARED / "photos" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _print_unrelated(rows: list[Row], vectors: Vectors) -> None:
    plain = [i for i, row in enumerate(rows) if not row["file"].startswith(_MADE_FROM_OTHERS)]
    cosines = (vectors[plain] @ vectors[plain].T)[np.triu_indices(len(plain), 1)]
    labels = np.array([rows[i]["label"] for i in plain])
    groups = np.array([rows[i]["group"] or rows[i]["file"] for i in plain])
    first, second = np.triu_indices(len(plain), 1)
    unrelated = cosines[(labels[first] != labels[second]) & (groups[first] != groups[second])]
    print(f"unrelated pairs: {len(unrelated)}")
    for share in (0.01, 0.001, 0.0001):
        print(f"  {share:.2%} reach {np.quantile(unrelated, 1 - share):.3f}")


def _print_copies(place: dict[str, int], vectors: Vectors) -> None:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for row in _table("near_duplicates.csv"):
        cosine = vectors[place[row["base"]]] @ vectors[place[row["variant"]]]
        found[row["transform"]].append(float(cosine))
    for transform, values in found.items():
        print(f"copy {transform}: min {min(values):.3f}, mean {np.mean(values):.3f}")


def _print_scenes(rows: list[Row], vectors: Vectors) -> None:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        if row["group"] and not row["file"].startswith("near-duplicates"):
            groups[row["group"]].append(position)
    for group, members in groups.items():
        if len(members) > 1:
            pairs = (vectors[members] @ vectors[members].T)[np.triu_indices(len(members), 1)]
            print(f"scene {group}: min {pairs.min():.3f}, mean {pairs.mean():.3f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        repository = ModelRepository.in_data(Path(folder))
        model = repository.at(Path(sys.argv[1])) if sys.argv[1:] else repository.built_in()
        rows = [row for row in _table("labels.csv") if not row["file"].startswith("awkward")]
        names = [row["file"] for row in rows]
        vectors = asyncio.run(embed_files(model, names))
    print(model.card.id, model.card.revision, model.notice)
    for themes in (THEMES, *((theme,) for theme in THEMES)):
        chosen = [i for i, row in enumerate(rows) if row["theme"] in themes]
        print(themes, len(chosen), retrieval(vectors[chosen], [rows[i]["label"] for i in chosen]))
    _print_unrelated(rows, vectors)
    _print_copies({name: i for i, name in enumerate(names)}, vectors)
    _print_scenes(rows, vectors)


if __name__ == "__main__":
    main()
