"""Whether similar photos find each other: the reason for all of this."""

import csv

import numpy as np
import pytest

from services.embedding.repository import StoredModel
from services.embedding.scores import retrieval
from tests.bench.embedding_quality import THEMES, embed_files, labelled_photos
from tests.support.shared import SHARED, needs_shared

pytestmark = needs_shared


@pytest.mark.parametrize(
    ("name", "themes", "expected"),
    [("lite0", THEMES, (0.814, 0.769, 0.625)), ("descriptor", ("food",), (0.571, 0.648, 0.394))],
)
async def test_labelled_photos_find_their_like(
    request: pytest.FixtureRequest,
    name: str,
    themes: tuple[str, ...],
    expected: tuple[float, float, float],
) -> None:
    rows = labelled_photos(themes)
    model: StoredModel = request.getfixturevalue(name)
    vectors = await embed_files(model, [row["file"] for row in rows])
    found = retrieval(vectors, [row["label"] for row in rows])
    shares = (found.knn5, found.recall1, found.mean_average_precision)
    assert shares == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("name", ["lite0", "descriptor"])
async def test_copies_are_told_from_other_photos_by_the_card_s_threshold(
    request: pytest.FixtureRequest, name: str
) -> None:
    model: StoredModel = request.getfixturevalue(name)
    with (SHARED / "photos/near_duplicates.csv").open(newline="", encoding="utf-8") as file:
        pairs = [row for row in csv.DictReader(file) if row["transform"] != "resize30q40"]
    names = sorted({row["base"] for row in pairs}) + [row["variant"] for row in pairs]
    vectors = dict(zip(names, await embed_files(model, names), strict=True))
    copies = [float(vectors[row["base"]] @ vectors[row["variant"]]) for row in pairs]
    others = [
        float(vectors[one["base"]] @ vectors[other["variant"]])
        for one in pairs
        for other in pairs
        if one["group"] != other["group"]
    ]
    threshold = model.card.near_duplicate_cosine
    assert min(copies) > threshold
    assert np.mean(np.array(others) > threshold) < 0.01
