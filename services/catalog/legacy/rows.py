"""What was read of an older library, before anything is understood of it: tables of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Row = Mapping[str, str | None]
"""The values of a row by column, as PostgreSQL writes them."""

TABLES = (
    "personas",
    "content_pillars",
    "clusters",
    "pillar_cluster_assignments",
    "photos",
    "pipeline_runs",
    "scheduling_posts",
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table; every row has every column."""

    columns: tuple[str, ...]
    rows: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Those of ``TABLES`` that were found. ``label`` tells people where, without a password.

    ``left_out`` are columns that were not read, such as ``photos.embedding``.
    """

    label: str
    tables: Mapping[str, Table]
    left_out: Sequence[str] = field(default_factory=tuple)


def is_vector(column: str, kind: str) -> bool:
    """Whether a column holds embeddings. They are not read: this suite makes its own."""
    bare = kind.rpartition(".")[2]
    return column == "embedding" or bare.split("(")[0] in ("vector", "halfvec")
