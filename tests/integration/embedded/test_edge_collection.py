"""The engine in this process: what outlives a close, and when it builds its approximate index."""

import time
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import qdrant_edge as edge

from libs.embedded.qdrant_edge.collection import IDLE_SECONDS, SMALLEST_INDEX, Collection
from libs.embedded.qdrant_edge.errors import Refused
from libs.embedded.qdrant_edge.store import Store


def fill(collection: Collection, count: int) -> None:
    rows = np.random.default_rng(1).standard_normal((count, collection.dimension))
    points = [edge.Point(UUID(int=i), row) for i, row in enumerate(rows.tolist())]
    collection.write(edge.UpdateOperation.upsert_points(points))


def indexed(collection: Collection) -> int:
    return collection.read(lambda shard: shard.info()).indexed_vectors_count


def test_an_index_is_built_when_idle_and_only_for_many_vectors(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create("small", 4, "Cosine")
    store.create("large", 4, "Cosine")
    small, large = store.get("small"), store.get("large")
    fill(small, 100)
    fill(large, SMALLEST_INDEX + 100)

    store.tend(0.0)  # long before they were last used
    assert (indexed(small), indexed(large)) == (0, 0)
    store.tend(time.monotonic() + IDLE_SECONDS + 1)
    assert indexed(small) == 0
    assert indexed(large) > SMALLEST_INDEX
    store.close()


def test_half_made_and_half_deleted_collections_are_cleared_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create("kept", 4, "Dot")
    fill(store.get("kept"), 3)
    store.close()
    for leftover in (".new.new", ".gone.old"):
        (tmp_path / "collections" / leftover).mkdir()

    again = Store(tmp_path)

    assert [collection.name for collection in again.collections] == ["kept"]
    assert (again.get("kept").dimension, again.get("kept").distance) == (4, "Dot")
    assert again.get("kept").read(lambda shard: shard.count(edge.CountRequest())) == 3
    assert [path.name for path in (tmp_path / "collections").iterdir()] == ["kept"]
    again.close()


def test_a_collection_that_was_dropped_under_a_caller_is_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create("going", 4, "Cosine")
    held = store.get("going")

    assert store.delete("going") and not store.delete("going")

    for use in (lambda: fill(held, 1), lambda: indexed(held), lambda: store.get("going")):
        with pytest.raises(Refused, match="doesn't exist"):
            use()
    store.create("going", 8, "Cosine")
    assert store.get("going").dimension == 8
    store.close()


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 129])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)

    with pytest.raises(Refused, match="collection name"):
        store.create(name, 4, "Cosine")

    assert list((tmp_path / "collections").iterdir()) == []
