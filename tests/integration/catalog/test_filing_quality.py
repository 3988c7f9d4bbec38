"""Filing real photos by what they show: gates a little below what was measured.

Measured with the built-in model over five imports (tests/bench/filing_quality.py): of 27 labels
with five examples each 90 % of what was filed is right, of four themes all of it.
"""

import asyncio
from pathlib import Path

import pytest

from services.embedding.repository import ModelRepository
from tests.bench.embedding_quality import embed_files, labelled_photos
from tests.bench.filing_quality import Shown, measured
from tests.support.shared import needs_shared

pytestmark = [needs_shared, pytest.mark.shared]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, Shown]:
    """The labelled photos under their labels, and under their themes."""
    folder: Path = tmp_path_factory.mktemp("models")
    model = ModelRepository.in_data(folder).built_in()
    rows = labelled_photos()
    vectors = asyncio.run(embed_files(model, [row["file"] for row in rows]))
    scene = model.card.same_scene_cosine
    labels, themes = ([row[column] for row in rows] for column in ("label", "theme"))
    return Shown(vectors, labels, scene), Shown(vectors, themes, scene)


def test_what_is_filed_is_right_and_the_rest_waits(photos: tuple[Shown, Shown]) -> None:
    labels, themes = photos
    few = measured(labels, 5, seeds=2)
    assert few.precision >= 0.87
    assert few.review <= 0.45
    assert few.miscalibration <= 0.08
    more = measured(labels, 10, seeds=2)
    assert more.precision >= 0.92
    broad = measured(themes, 10, seeds=1)
    assert broad.precision >= 0.99
    assert broad.review <= 0.2


def test_photos_of_a_subject_that_no_pillar_holds_go_to_the_inbox(
    photos: tuple[Shown, Shown],
) -> None:
    _, themes = photos
    found = measured(themes, 10, half=True, seeds=1)
    assert found.precision >= 0.97
