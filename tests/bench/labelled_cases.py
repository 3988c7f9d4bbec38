"""Labelled collections as vectors: the shared photos by every model, and texts made up for it."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from libs.text.similarity import vector_of
from services.clustering.algorithms.prep import unit
from services.embedding.repository import ModelRepository, StoredModel
from tests.bench.embedding_quality import embed_files, labelled_photos
from tests.bench.rivals import Case
from tests.support.shared import SHARED
from tests.support.texts import mixed

# What the clustering service takes for copies whatever the model says.
_DUPLICATE_FLOOR = 0.92
_BODY = 1_500
_TEXTS = 2_000
_SINGLE_SHARE, _SEED = 0.35, 5

# Sets that share no item, so that one can be left out.
APART = ("clothing", "food", "plants and objects", "texts")


def cases() -> Iterator[Case]:
    """Every set by every model."""
    with tempfile.TemporaryDirectory() as folder:
        repository = ModelRepository.in_data(Path(folder))
        cards = sorted((SHARED / "models").glob("*.json"))
        for model in [repository.built_in(), *(repository.at(card) for card in cards)]:
            yield from _of_photos(model)
    yield _of_texts()


def _of_photos(model: StoredModel) -> Iterator[Case]:
    rows = labelled_photos()
    units = unit(asyncio.run(embed_files(model, [row["file"] for row in rows])))
    labels = [row["label"] for row in rows]
    themes = np.array([row["theme"] for row in rows])
    chosen = {
        "clothing": np.flatnonzero(themes == "clothing"),
        "food": np.flatnonzero(themes == "food"),
        "plants and objects": np.flatnonzero((themes == "plants") | (themes == "objects")),
        "all photos": np.arange(len(rows)),
        "all, uneven": _uneven(labels),
    }
    for name, places in chosen.items():
        yield Case(
            name,
            model.card.id,
            [rows[i]["file"] for i in places],
            [labels[i] for i in places],
            units[places],
            max(model.card.near_duplicate_cosine, _DUPLICATE_FLOOR),
        )


def _uneven(labels: list[str]) -> np.ndarray:
    """A third of the labels with a single photo, the others with a quarter to all of theirs."""
    draw = np.random.default_rng(_SEED)
    names = sorted(set(labels))
    kept: list[int] = []
    for rank, place in enumerate(draw.permutation(len(names))):
        of_label = np.flatnonzero(np.array(labels) == names[place])
        share = max(4, round(len(of_label) * draw.uniform(0.25, 1.0)))
        count = 1 if rank < _SINGLE_SHARE * len(names) else share
        kept += draw.permutation(of_label)[:count].tolist()
    return np.sort(np.array(kept))


def _of_texts() -> Case:
    texts = mixed(_TEXTS)
    units = np.stack([vector_of(f"{text.title}\n\n{text.body[:_BODY]}") for text in texts])
    return Case(
        "texts",
        "hashed words",
        [f"text-{number:05d}" for number in range(len(texts))],
        [text.topic for text in texts],
        units,
        _DUPLICATE_FLOOR,
    )
