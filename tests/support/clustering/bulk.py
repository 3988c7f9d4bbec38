"""Many items at once, straight into the tables and the index."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import numpy as np
import psycopg
from sqlalchemy.engine import make_url

from libs.vectors.index import VectorIndex, VectorPoint
from services.clustering.algorithms.prep import Matrix
from services.clustering.domain.item import Collection
from services.clustering.usecases.embedding import INDEXED

_COLLECTION = """
    INSERT INTO clustering.collections (name, model, revision, fingerprint, dimension,
        scene_threshold, duplicate_threshold, create_time, id, state)
    VALUES (%(name)s, %(model)s, %(revision)s, %(fingerprint)s, %(dimension)s,
        %(scene)s, %(duplicate)s, now(), gen_random_uuid(), 'active')
    ON CONFLICT DO NOTHING
"""
_ITEMS = """
    COPY clustering.items
        (name, point_id, scope, blob_key, words, words_time, pixels, create_time)
    FROM STDIN
"""
_STANDING = """
    INSERT INTO clustering.item_vectors (collection, item, scope, state, scene)
    SELECT %(collection)s, name, scope, 'ready', name FROM clustering.items WHERE scope = %(scope)s
"""
_PAIR = """
    INSERT INTO clustering.near_pairs (collection, first, second, scope, score)
    VALUES (%s, %s, %s, %s, %s)
"""


def name_of(scope: str, point: str) -> str:
    """The item of a vector."""
    return f"{scope}/photos/{point}"


def points_like(count: int, seed: int) -> list[str]:
    """Ids in ascending order, the same ones for the same seed."""
    data = np.random.default_rng(seed).bytes(16 * count)
    return sorted(str(UUID(bytes=data[at : at + 16])) for at in range(0, len(data), 16))


def fill_tables(
    url: str,
    collection: Collection,
    scope: str,
    points: Iterable[str],
    pairs: Iterable[tuple[str, str, float]] = (),
    words: str = "photo",
) -> None:
    """Items with these vectors, ready in an active collection; ``pairs`` are near each other."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection, connection.cursor() as cursor:
        cursor.execute(
            _COLLECTION,
            {
                "name": collection.name,
                "model": collection.model,
                "revision": collection.revision,
                "fingerprint": collection.fingerprint,
                "dimension": collection.dimension,
                "scene": collection.scene_threshold,
                "duplicate": collection.duplicate_threshold,
            },
        )
        with cursor.copy(_ITEMS) as copy:
            for point in points:
                name, time = name_of(scope, point), "2026-03-02 12:00+00"
                row = (name, point, scope, f"{name}.jpg", f"{{{words}}}", time, "1000", time)
                copy.write("\t".join(row) + "\n")
        cursor.execute(_STANDING, {"collection": collection.name, "scope": scope})
        cursor.execute("ANALYZE clustering.items, clustering.item_vectors")
        for one, other, score in pairs:
            first, second = sorted((name_of(scope, one), name_of(scope, other)))
            cursor.execute(_PAIR, (collection.name, first, second, scope, score))


async def fill_index(
    index: VectorIndex, collection: Collection, scope: str, points: Sequence[str], vectors: Matrix
) -> None:
    """The vectors of these points."""
    await index.ensure_collection(collection.name, collection.dimension, indexed=INDEXED)
    for part in _parts(len(points), 2_000):
        await index.upsert(
            collection.name,
            [
                VectorPoint(id, row, {"scope": scope})
                for id, row in zip(points[part], vectors[part], strict=True)
            ],
        )


def _parts(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
