"""The older shape: which columns its tables have, and what they mean.

Versions differ in their columns. What is absent counts as unset, what is unknown is reported and
kept in the staged rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from libs.errors import InvalidArgument
from services.catalog.legacy.library import (
    Assignment,
    LegacyCluster,
    LegacyLibrary,
    LegacyPersona,
    LegacyPhoto,
    LegacyPillar,
    LegacyPost,
    LegacyRun,
    by_age,
)
from services.catalog.legacy.rows import Row, Source

T = TypeVar("T")
Names = tuple[str, ...]

_NEEDED: Mapping[str, Sequence[Names]] = {
    "personas": [("id",), ("name",)],
    "content_pillars": [("id",), ("persona_id",), ("name",)],
    "clusters": [("id",)],
    "pillar_cluster_assignments": [("cluster_id",), ("pillar_id", "content_pillar_id")],
    "photos": [("id",), ("persona_id",), ("path", "file_path", "image_path")],
    "pipeline_runs": [("id",)],
    "scheduling_posts": [("id",), ("photo_id",)],
}
_USED: Mapping[str, Sequence[Names]] = {
    "personas": [
        ("time_zone", "timezone"),
        ("voice", "description", "bio"),
        ("caption_config",),
        ("hashtag_strategy",),
        ("status",),
        ("active",),
        ("archived_at",),
        ("deleted_at",),
        ("created_at",),
    ],
    "content_pillars": [
        ("description",),
        ("weight",),
        ("priority",),
        ("target_posts_per_week", "posts_per_week"),
        ("active",),
        ("status",),
        ("start_date", "starts_at"),
        ("end_date", "ends_at"),
        ("guidelines",),
        ("created_at",),
    ],
    "clusters": [("name",), ("persona_id",), ("ai_prompt", "prompt"), ("status",), ("created_at",)],
    "pillar_cluster_assignments": [("id",), ("primary", "is_primary"), ("created_at",)],
    "photos": [("cluster_id",), ("caption",), ("alt_text",), ("created_at",)],
    "pipeline_runs": [
        ("persona_id",),
        ("cluster_id",),
        ("name",),
        ("prompt",),
        ("status",),
        ("created_at",),
    ],
    "scheduling_posts": [
        ("persona_id",),
        ("status",),
        ("caption",),
        ("provider",),
        ("provider_post_id", "external_id"),
        ("permalink",),
        ("scheduled_at",),
        ("posted_at",),
    ],
}
_MUST_BE_THERE = ("personas", "content_pillars", "photos")
_TRUE = ("t", "true", "1", "y", "yes", "on")
_PUT_AWAY = ("archived", "inactive", "disabled", "deleted")


@dataclass(frozen=True, slots=True)
class Fit:
    """How far a source has the older shape: what it lacks, has besides, and was not read."""

    absent_tables: tuple[str, ...]
    absent_columns: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    left_out: tuple[str, ...]


def fit_of(source: Source) -> Fit:
    """How far ``source`` has the older shape.

    Raises InvalidArgument naming every table and column without which nothing can be migrated.
    """
    wrong = [f"the table {name}" for name in _MUST_BE_THERE if name not in source.tables]
    absent: list[str] = []
    unknown: list[str] = []
    for name, table in source.tables.items():
        needed, used = _NEEDED[name], _USED[name]
        wrong += [f"the column {name}.{c[0]}" for c in needed if not set(c) & set(table.columns)]
        absent += [f"{name}.{c[0]}" for c in used if not set(c) & set(table.columns)]
        known = {column for names in (*needed, *used) for column in names}
        unknown += [f"{name}.{column}" for column in table.columns if column not in known]
    if wrong:
        text = f"{source.label} is no library of the older shape: it lacks {', '.join(wrong)}"
        raise InvalidArgument.of("source", text)
    absent_tables = [name for name in _NEEDED if name not in source.tables]
    columns = tuple(absent), tuple(sorted(unknown)), tuple(source.left_out)
    return Fit(tuple(absent_tables), *columns)


def library_of(rows: Mapping[str, Sequence[Row]]) -> LegacyLibrary:
    """What the rows of each table mean. Raises InvalidArgument for a value that is no such thing
    and for two rows of one id."""
    return LegacyLibrary(
        personas=_read(rows, "personas", _persona),
        pillars=_read(rows, "content_pillars", _pillar),
        clusters=_read(rows, "clusters", _cluster),
        assignments=_read(rows, "pillar_cluster_assignments", _assignment),
        photos=_read(rows, "photos", _photo),
        runs=_read(rows, "pipeline_runs", _run),
        posts=_read(rows, "scheduling_posts", _post),
    )


def id_of(table: str, row: Row) -> str:
    """What tells a row from the others of its table."""
    if table == "pillar_cluster_assignments" and not _text(row, "id"):
        return f"{_text(row, 'cluster_id')}:{_text(row, 'pillar_id', 'content_pillar_id')}"
    return _text(row, "id")


def _read(
    rows: Mapping[str, Sequence[Row]], table: str, make: Callable[["_Cells"], T]
) -> tuple[T, ...]:
    cells = [_Cells(table, id_of(table, row), row) for row in rows.get(table, ())]
    cells.sort(key=lambda c: by_age(c.time("created_at"), c.id))
    for one, next in zip(
        sorted(c.id for c in cells), sorted(c.id for c in cells)[1:], strict=False
    ):
        if one == next:
            raise InvalidArgument.of("source", f"{table} has two rows of the id {one}")
    return tuple(make(c) for c in cells)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one row, by any of the names that a column had."""

    table: str
    id: str
    row: Row

    def text(self, *names: str) -> str:
        return _text(self.row, *names)

    def flag(self, *names: str, unset: bool = False) -> bool:
        found = _text(self.row, *names)
        return found.lower() in _TRUE if found else unset

    def time(self, *names: str) -> datetime | None:
        """Times without a zone are in UTC; ``infinity`` is unset."""
        found = _text(self.row, *names)
        if not found or found.endswith("infinity"):
            return None
        try:
            moment = datetime.fromisoformat(found)
        except ValueError:
            text = f"{self.table}.{names[0]} of {self.id} is no time: {found!r}"
            raise InvalidArgument.of("source", text) from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(row: Row, *names: str) -> str:
    return next((row[name] or "" for name in names if name in row), "")


def _persona(cells: _Cells) -> LegacyPersona:
    away = cells.time("archived_at") or cells.time("deleted_at")
    status = cells.text("status").lower()
    return LegacyPersona(
        id=cells.id,
        name=cells.text("name"),
        time_zone=cells.text("time_zone", "timezone"),
        voice=cells.text("voice", "description", "bio"),
        archived=bool(away) or status in _PUT_AWAY or not cells.flag("active", unset=True),
        create_time=cells.time("created_at"),
        caption_config=cells.text("caption_config"),
        hashtag_strategy=cells.text("hashtag_strategy"),
    )


def _pillar(cells: _Cells) -> LegacyPillar:
    return LegacyPillar(
        id=cells.id,
        persona=cells.text("persona_id"),
        name=cells.text("name"),
        description=cells.text("description"),
        weight=cells.text("weight"),
        priority=cells.text("priority"),
        posts_per_week=cells.text("target_posts_per_week", "posts_per_week"),
        active=cells.flag("active", unset=True) and cells.text("status").lower() not in _PUT_AWAY,
        start_time=cells.time("start_date", "starts_at"),
        end_time=cells.time("end_date", "ends_at"),
        guidelines=cells.text("guidelines"),
        create_time=cells.time("created_at"),
    )


def _cluster(cells: _Cells) -> LegacyCluster:
    return LegacyCluster(
        id=cells.id,
        name=cells.text("name"),
        persona=cells.text("persona_id"),
        prompt=cells.text("ai_prompt", "prompt"),
        status=cells.text("status").lower(),
    )


def _assignment(cells: _Cells) -> Assignment:
    return Assignment(
        id=cells.id,
        cluster=cells.text("cluster_id"),
        pillar=cells.text("pillar_id", "content_pillar_id"),
        primary=cells.flag("primary", "is_primary"),
        create_time=cells.time("created_at"),
    )


def _photo(cells: _Cells) -> LegacyPhoto:
    return LegacyPhoto(
        id=cells.id,
        persona=cells.text("persona_id"),
        path=cells.text("path", "file_path", "image_path"),
        cluster=cells.text("cluster_id"),
        caption=cells.text("caption"),
        alt_text=cells.text("alt_text"),
        create_time=cells.time("created_at"),
    )


def _run(cells: _Cells) -> LegacyRun:
    return LegacyRun(
        id=cells.id,
        persona=cells.text("persona_id"),
        cluster=cells.text("cluster_id"),
        name=cells.text("name"),
        prompt=cells.text("prompt"),
        status=cells.text("status").lower(),
        create_time=cells.time("created_at"),
    )


def _post(cells: _Cells) -> LegacyPost:
    return LegacyPost(
        id=cells.id,
        photo=cells.text("photo_id"),
        persona=cells.text("persona_id"),
        status=cells.text("status").lower(),
        caption=cells.text("caption"),
        provider=cells.text("provider"),
        provider_post=cells.text("provider_post_id", "external_id"),
        permalink=cells.text("permalink"),
        scheduled_time=cells.time("scheduled_at"),
        posted_time=cells.time("posted_at"),
    )
