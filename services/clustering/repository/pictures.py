"""The hashes of pictures in PostgreSQL.

Each hash lies there in bands of 16 bits, one row each. Two hashes with few differing bits have at
least one band in common, so the near ones are found by equality, through an index.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, literal, or_, select, true, union_all, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.image_hash import ALGORITHM, turned
from services.clustering.ports.duplicates import Picture
from services.clustering.repository.arrays import among, rows_of
from services.clustering.tables import (
    duplicate_pairs,
    duplicate_reviews,
    items,
    picture_bands,
    pictures,
)

_BANDS = 8
_BAND_BYTES = 2
# Pictures with so common a band that more have it (white paper, night) say nothing by it.
_PER_BAND = 64
_LIVE = items.c.state == "live"
_TABLES = (
    (duplicate_reviews, (duplicate_reviews.c.first, duplicate_reviews.c.second)),
    (duplicate_pairs, (duplicate_pairs.c.first, duplicate_pairs.c.second)),
    (picture_bands, (picture_bands.c.item,)),
    (pictures, (pictures.c.item,)),
)


class PictureRepository:
    """See duplicate_ports.Pictures."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, added: Iterable[Picture]) -> None:
        # In one order everywhere, so that no two wait for each other.
        new = sorted(added, key=lambda picture: picture.item)
        if not new:
            return
        given = rows_of(
            "given", (pictures.c.item, pictures.c.bits), ((each.item, each.bits) for each in new)
        )
        there = (
            select(given.c.item, items.c.scope, literal(ALGORITHM), given.c.bits)
            .join_from(given, items, items.c.name == given.c.item)
            .where(_LIVE)
            .order_by(given.c.item)
        )
        statement = insert(pictures).from_select(["item", "scope", "algorithm", "bits"], there)
        changed = {
            "algorithm": statement.excluded.algorithm,
            "bits": statement.excluded.bits,
            "compared": False,
        }
        stored = await self._connection.execute(
            statement.on_conflict_do_update(index_elements=["item"], set_=changed).returning(
                pictures.c.item, pictures.c.scope, pictures.c.bits
            )
        )
        found = [Picture(row.item, row.scope, row.bits) for row in stored]
        names = [picture.item for picture in found]
        await self._connection.execute(
            delete(picture_bands).where(among(picture_bands.c.item, names))
        )
        rows = [
            {"scope": picture.scope, "band": band, "value": value, "item": picture.item}
            for picture in found
            for band, value in _bands(picture.bits)
        ]
        if rows:
            await self._connection.execute(insert(picture_bands), rows)

    async def of(self, names: Iterable[str]) -> dict[str, Picture]:
        found = await self._connection.execute(
            select(pictures).where(among(pictures.c.item, names), pictures.c.algorithm == ALGORITHM)
        )
        return {row.item: Picture(row.item, row.scope, row.bits) for row in found}

    async def near(self, picture: Picture, distance: int, limit: int) -> list[Picture]:
        if not picture.bits:
            return []
        orientations = turned(picture.bits)
        probed = sorted({probe for bits in orientations for probe in _bands(bits)})
        probes = rows_of("probes", (picture_bands.c.band, picture_bands.c.value), probed)
        hits = (
            select(picture_bands.c.item)
            .where(picture_bands.c.scope == picture.scope)
            .where(picture_bands.c.band == probes.c.band)
            .where(picture_bands.c.value == probes.c.value)
            .limit(_PER_BAND)
            .lateral("hits")
        )
        named = select(hits.c.item).distinct().select_from(probes.join(hits, true())).subquery()
        found = await self._connection.execute(
            select(pictures)
            .join(named, named.c.item == pictures.c.item)
            .where(pictures.c.item != picture.item, pictures.c.algorithm == ALGORITHM)
        )
        numbers = [int.from_bytes(bits) for bits in orientations]
        near = []
        for row in found:
            other = int.from_bytes(row.bits)
            least = min((other ^ number).bit_count() for number in numbers)
            if least <= distance:
                near.append((least, row.item, row.bits))
        return [Picture(name, picture.scope, bits) for _, name, bits in sorted(near)[:limit]]

    async def uncompared(self, limit: int) -> list[Picture]:
        found = await self._connection.execute(
            select(pictures).where(~pictures.c.compared).order_by(pictures.c.item).limit(limit)
        )
        return [Picture(row.item, row.scope, row.bits) for row in found]

    async def set_compared(self, names: Iterable[str]) -> None:
        await self._connection.execute(
            update(pictures).where(among(pictures.c.item, sorted(names))).values(compared=True)
        )

    async def again(self, pairs: Iterable[tuple[str, str]]) -> None:
        columns = duplicate_pairs.c.first, duplicate_pairs.c.second
        given = rows_of("given", columns, sorted(set(pairs)))
        looked = select(literal(True)).where(
            duplicate_pairs.c.first == given.c.first,
            duplicate_pairs.c.second == given.c.second,
            duplicate_pairs.c.structure.is_not(None),
        )
        wanted = select(given).where(~looked.exists()).cte("wanted")
        either = union_all(select(wanted.c.first), select(wanted.c.second))
        await self._connection.execute(
            update(pictures).where(pictures.c.item.in_(either)).values(compared=False)
        )

    async def waiting(self, scope: str) -> int:
        statement = (
            select(func.count())
            .select_from(pictures)
            .where(pictures.c.scope == scope, ~pictures.c.compared)
        )
        return int((await self._connection.execute(statement)).scalar_one())

    async def missing(self, before: datetime, after: str, limit: int) -> list[str]:
        there = select(pictures.c.item).where(
            pictures.c.item == items.c.name, pictures.c.algorithm == ALGORITHM
        )
        found = await self._connection.execute(
            select(items.c.name)
            .where(_LIVE, items.c.create_time < before, items.c.name > after)
            .where(items.c.blob_key != "", ~there.exists())
            .order_by(items.c.name)
            .limit(limit)
        )
        return [row.name for row in found]

    async def count_tellings(
        self, names: Iterable[str], with_copies: Iterable[str]
    ) -> Mapping[str, int]:
        version = pictures.c.copies_version
        found = await self._connection.execute(
            update(pictures)
            .where(among(pictures.c.item, names))
            .where(or_(version > 0, among(pictures.c.item, with_copies)))
            .values(copies_version=version + 1)
            .returning(pictures.c.item, version)
        )
        return {row.item: row.copies_version for row in found}

    async def forget(self, item: str) -> None:
        for table, columns in _TABLES:
            either = or_(*(each == item for each in columns))
            await self._connection.execute(delete(table).where(either))


def _bands(bits: bytes) -> Sequence[tuple[int, int]]:
    """The bands of a hash, lowest frequencies first; none of a picture without one."""
    if not bits:
        return ()
    parts = [bits[start * _BAND_BYTES :][:_BAND_BYTES] for start in range(_BANDS)]
    return [(band, int.from_bytes(part)) for band, part in enumerate(parts)]
