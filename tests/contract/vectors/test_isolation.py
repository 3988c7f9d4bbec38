"""Property: a search for one persona never sees a point of another, whatever was written."""

from uuid import UUID

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.vectors.index import AnyOf, Floats, VectorFilter, VectorPoint
from libs.vectors.qdrant import QdrantIndex
from tests.contract.vectors.conftest import DIMENSION

PERSONAS = ("mila", "noah")
NUMBERS = st.floats(-1, 1, width=32).filter(lambda number: abs(number) > 1e-3)
VECTORS = st.lists(NUMBERS, min_size=4, max_size=4)
ENTRIES = st.lists(st.tuples(st.uuids(), st.sampled_from(PERSONAS), VECTORS), max_size=12)


def row(numbers: list[float]) -> Floats:
    return np.resize(np.array(numbers, np.float32), DIMENSION)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(entries=ENTRIES, query=VECTORS)
async def test_search_stays_within_the_persona(
    index: QdrantIndex,
    collection: str,
    entries: list[tuple[UUID, str, list[float]]],
    query: list[float],
) -> None:
    await index.upsert(
        collection,
        [
            VectorPoint(str(id), row(vector), {"persona": persona})
            for id, persona, vector in entries
        ],
    )
    owner = {str(id): persona for id, persona, _ in entries}
    for persona in PERSONAS:
        mine = VectorFilter.where(persona=persona)
        hits = await index.search(collection, row(query), 100, filter=mine)
        assert {hit.id for hit in hits} == {id for id in owner if owner[id] == persona}
    await index.delete_where(collection, VectorFilter.where(AnyOf("persona", PERSONAS)))
    assert await index.count(collection) == 0
