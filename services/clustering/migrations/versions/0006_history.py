"""Clusters through time: who was where from which version to which."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

SCHEMA = "clustering"
# Until this migration ends: statements over all members may take longer than others are allowed to.
_TAKE_TIME = "SET LOCAL statement_timeout = 0"
_STILL = "coalesce(until, 2147483647)"
_WAITING = "state = 'ready' AND NOT grouped"
_EDITS = "kind IN ('update', 'add_members', 'remove_members', 'merge', 'split', 'hero'"
# The name that 0002 came to give.
_EDIT_KINDS = "ck_cluster_edits_ck_cluster_edits_kind"

# The versions that are kept: those with rows, those in between, and the newest one.
_LIST_VERSIONS = """
    CREATE TEMPORARY TABLE kept_versions ON COMMIT DROP AS
    WITH seen AS (
        SELECT scope, version FROM clustering.cluster_versions
        UNION SELECT scope, version FROM clustering.members
        UNION SELECT scope, version FROM clustering.scopes WHERE version > 0
    ), ends AS (
        SELECT scope, min(version) AS oldest, max(version) AS newest FROM seen GROUP BY scope
    )
    SELECT scope, generate_series(oldest, newest) AS version, newest FROM ends
"""
# Rows that are equal in versions that follow each other become one row.
_FOLD_MEMBERS = """
    CREATE TEMPORARY TABLE folded_members ON COMMIT DROP AS
    WITH marked AS (
        SELECT *, (
            lag(version) OVER places = version - 1
            AND lag(cluster_id) OVER places = cluster_id
            AND lag(similarity) OVER places IS NOT DISTINCT FROM similarity
            AND lag(duplicate_of) OVER places = duplicate_of
            AND lag(locked) OVER places = locked
        ) IS NOT TRUE AS changed
        FROM clustering.members
        WINDOW places AS (PARTITION BY scope, item ORDER BY version)
    ), numbered AS (
        SELECT *, sum(changed::int) OVER (PARTITION BY scope, item ORDER BY version) AS number
        FROM marked
    )
    SELECT n.scope, n.item, min(n.version) AS since,
        nullif(max(n.version), max(k.newest)) + 1 AS until,
        n.cluster_id, n.similarity, n.duplicate_of, n.locked
    FROM numbered AS n JOIN kept_versions AS k USING (scope, version)
    GROUP BY n.scope, n.item, n.number, n.cluster_id, n.similarity, n.duplicate_of, n.locked
"""
_FOLD_CLUSTERS = """
    CREATE TEMPORARY TABLE folded_clusters ON COMMIT DROP AS
    WITH marked AS (
        SELECT *, (
            lag(version) OVER life = version - 1
            AND lag(member_count) OVER life = member_count
            AND lag(cohesion) OVER life = cohesion
            AND lag(hero_item) OVER life = hero_item
            AND lag(hero_score) OVER life = hero_score
            AND lag(hero_parts) OVER life = hero_parts
            AND lag(places) OVER life IS NOT DISTINCT FROM places
        ) IS NOT TRUE AS changed
        FROM clustering.cluster_versions
        LEFT JOIN (
            SELECT cluster_id, version, md5(string_agg(item, ' ' ORDER BY item)) AS places
            FROM clustering.members GROUP BY cluster_id, version
        ) AS inside USING (cluster_id, version)
        WINDOW life AS (PARTITION BY cluster_id ORDER BY version)
    ), numbered AS (
        SELECT *, sum(changed::int) OVER (PARTITION BY cluster_id ORDER BY version) AS number
        FROM marked
    )
    SELECT n.scope, n.cluster_id, min(n.version) AS since,
        nullif(max(n.version), max(k.newest)) + 1 AS until,
        n.member_count, n.cohesion, n.hero_item, n.hero_score, n.hero_parts
    FROM numbered AS n JOIN kept_versions AS k USING (scope, version)
    GROUP BY n.scope, n.cluster_id, n.number, n.member_count, n.cohesion, n.hero_item,
        n.hero_score, n.hero_parts
"""
# What was written on a cluster in earlier versions is not known; it is taken to be what it is now.
_ADOPT = (
    """
    INSERT INTO clustering.versions
        (scope, version, kind, create_time, clusters, clustered, items, duplicates)
    SELECT k.scope, k.version, CASE WHEN r.id IS NULL THEN 'edit' ELSE 'run' END,
        coalesce(r.end_time, now()),
        (SELECT count(*) FROM clustering.cluster_versions AS v
         WHERE v.scope = k.scope AND v.version = k.version),
        (SELECT count(*) FROM clustering.members AS m
         WHERE m.scope = k.scope AND m.version = k.version),
        coalesce((r.stats ->> 'items')::int, 0), coalesce((r.stats ->> 'duplicates')::int, 0)
    FROM kept_versions AS k
    LEFT JOIN LATERAL (
        SELECT * FROM clustering.runs AS r
        WHERE r.scope = k.scope AND r.version = k.version AND r.version > 0
            AND r.state = 'succeeded'
        ORDER BY r.create_time DESC LIMIT 1
    ) AS r ON true
    """,
    """
    UPDATE clustering.versions AS v SET cause = v.scope || '/clusteringRuns/' || r.id
    FROM clustering.runs AS r
    WHERE r.scope = v.scope AND r.version = v.version AND r.state = 'succeeded' AND v.kind = 'run'
    """,
    """
    UPDATE clustering.versions AS v SET state_key = s.state_key
    FROM clustering.scopes AS s WHERE s.scope = v.scope AND s.version = v.version
    """,
    "UPDATE clustering.scopes SET memory_version = version",
)
_FILL = (
    """
    INSERT INTO clustering.members
        (scope, item, since, until, cluster_id, similarity, duplicate_of, locked)
    SELECT scope, item, since, until, cluster_id, similarity, duplicate_of, locked
    FROM folded_members
    """,
    """
    INSERT INTO clustering.cluster_versions
        (cluster_id, since, until, scope, title, title_pinned, summary, prompt_hint, state,
         merged_into, merge_pinned, pinned_hero, update_time, row_version, member_count, cohesion,
         hero_item, hero_score, hero_parts)
    SELECT f.cluster_id, f.since, f.until, f.scope, c.title, c.title_pinned, c.summary,
        c.prompt_hint,
        CASE WHEN c.state <> 'retired' THEN c.state WHEN gone THEN 'retired' ELSE 'active' END,
        CASE WHEN gone THEN c.merged_into ELSE '' END, gone, c.pinned_hero, c.update_time,
        c.row_version, f.member_count, f.cohesion, f.hero_item, f.hero_score, f.hero_parts
    FROM folded_clusters AS f
    JOIN clustering.clusters AS c ON c.id = f.cluster_id,
    LATERAL (SELECT c.merge_pinned AND f.member_count = 0 AS gone) AS merged
    """,
    # Those that people put somewhere may never have been seen by a run.
    """
    UPDATE clustering.item_vectors AS v SET grouped = true
    FROM clustering.members AS m JOIN clustering.scopes AS s USING (scope)
    WHERE m.until IS NULL AND NOT m.locked AND v.item = m.item AND v.collection = s.collection
        AND v.state = 'ready'
    """,
)
_UNFOLD = (
    """
    CREATE TEMPORARY TABLE unfolded_members ON COMMIT DROP AS
    SELECT m.scope, v.version, m.item, m.cluster_id, m.similarity, m.duplicate_of, m.locked,
        row_number() OVER (
            PARTITION BY m.cluster_id, v.version ORDER BY m.similarity DESC NULLS LAST, m.item
        )::int AS position
    FROM clustering.members AS m
    JOIN clustering.versions AS v ON v.scope = m.scope AND v.version >= m.since
        AND (m.until IS NULL OR v.version < m.until)
    JOIN clustering.clusters AS c ON c.id = m.cluster_id AND c.delete_time IS NULL
    """,
    """
    CREATE TEMPORARY TABLE unfolded_clusters ON COMMIT DROP AS
    SELECT f.cluster_id, v.version, f.scope, f.member_count, f.cohesion, f.hero_item, f.hero_score,
        f.hero_parts
    FROM clustering.cluster_versions AS f
    JOIN clustering.versions AS v ON v.scope = f.scope AND v.version >= f.since
        AND (f.until IS NULL OR v.version < f.until)
    JOIN clustering.clusters AS c ON c.id = f.cluster_id AND c.delete_time IS NULL
    """,
)
_GIVE_BACK = (
    """
    INSERT INTO clustering.members
        (scope, version, item, cluster_id, similarity, position, duplicate_of, locked)
    SELECT scope, version, item, cluster_id, similarity, position, duplicate_of, locked
    FROM unfolded_members
    """,
    """
    INSERT INTO clustering.cluster_versions
        (cluster_id, version, scope, member_count, cohesion, hero_item, hero_score, hero_parts)
    SELECT cluster_id, version, scope, member_count, cohesion, hero_item, hero_score, hero_parts
    FROM unfolded_clusters
    """,
    "DELETE FROM clustering.clusters WHERE delete_time IS NOT NULL",
    "DELETE FROM clustering.cluster_edits WHERE kind IN ('lock', 'unlock')",
)


def upgrade() -> None:
    """Folds what is equal in versions that follow each other into one row."""
    op.execute(_TAKE_TIME)
    _extend()
    _make_versions()
    for statement in (_LIST_VERSIONS, _FOLD_MEMBERS, _FOLD_CLUSTERS, *_ADOPT):
        op.execute(statement)
    op.drop_table("members", schema=SCHEMA)
    op.drop_table("cluster_versions", schema=SCHEMA)
    _make_cluster_versions()
    _make_members()
    _make_staged_members()
    _make_departures()
    for statement in _FILL:
        op.execute(statement)


def downgrade() -> None:
    """Unfolds every version that is kept."""
    op.execute(_TAKE_TIME)
    for statement in _UNFOLD:
        op.execute(statement)
    for table in ("departures", "staged_members", "members", "cluster_versions", "versions"):
        op.drop_table(table, schema=SCHEMA)
    _make_former()
    for statement in _GIVE_BACK:
        op.execute(statement)
    op.drop_constraint("ck_cluster_edits_kind", "cluster_edits", schema=SCHEMA)
    op.create_check_constraint(
        "ck_cluster_edits_kind", "cluster_edits", f"{_EDITS})", schema=SCHEMA
    )
    op.drop_index("ix_item_vectors_ungrouped", "item_vectors", schema=SCHEMA)
    for table, column in (
        ("clusters", "delete_time"),
        ("scopes", "erasures"),
        ("scopes", "memory_version"),
        ("item_vectors", "grouped"),
    ):
        op.drop_column(table, column, schema=SCHEMA)


def _extend() -> None:
    def number(name: str) -> sa.Column[Any]:
        return sa.Column(name, sa.Integer(), server_default="0", nullable=False)

    for table, column in (
        (
            "item_vectors",
            sa.Column("grouped", sa.Boolean(), server_default="false", nullable=False),
        ),
        ("scopes", number("memory_version")),
        ("scopes", number("erasures")),
        ("clusters", sa.Column("delete_time", sa.DateTime(timezone=True), nullable=True)),
    ):
        op.add_column(table, column, schema=SCHEMA)
    _index("ix_item_vectors_ungrouped", "item_vectors", ["collection", "item"], where=_WAITING)
    op.drop_constraint(_EDIT_KINDS, "cluster_edits", schema=SCHEMA)
    kinds = f"{_EDITS}, 'lock', 'unlock')"
    op.create_check_constraint("kind", "cluster_edits", kinds, schema=SCHEMA)


def _make_versions() -> None:
    op.create_table(
        "versions",
        _text("scope"),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("kind"),
        _text("cause", default=""),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        _flag("pinned"),
        *(
            sa.Column(name, sa.Integer(), server_default="0", nullable=False)
            for name in ("items", "clustered", "clusters", "duplicates")
        ),
        sa.Column(
            "diff", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        _text("state_key", default=""),
        sa.CheckConstraint("kind IN ('run', 'edit', 'undo', 'rollback')", name="kind"),
        sa.PrimaryKeyConstraint("scope", "version", name="pk_versions"),
        schema=SCHEMA,
    )
    _index("ix_versions_create_time", "versions", ["create_time"], where="NOT pinned")


def _make_cluster_versions() -> None:
    op.create_table(
        "cluster_versions",
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False),
        *_times(),
        _text("scope"),
        _text("title"),
        _flag("title_pinned"),
        _text("summary", default=""),
        _text("prompt_hint", default=""),
        _text("state"),
        _text("merged_into", default=""),
        _flag("merge_pinned"),
        _text("pinned_hero", default=""),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        *_counted(),
        sa.CheckConstraint("until > since", name="until"),
        _to_cluster("cluster_versions"),
        sa.PrimaryKeyConstraint("cluster_id", "since", name="pk_cluster_versions"),
        schema=SCHEMA,
    )
    _index("uq_cluster_versions_open", "cluster_versions", ["cluster_id"], unique=True)
    _index("ix_cluster_versions_until", "cluster_versions", ["scope", sa.text(_STILL)])


def _make_members() -> None:
    op.create_table(
        "members",
        _text("scope"),
        _text("item"),
        *_times(),
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=True),
        _text("duplicate_of", default=""),
        _flag("locked"),
        sa.CheckConstraint("until > since", name="until"),
        _to_cluster("members"),
        sa.PrimaryKeyConstraint("scope", "item", "since", name="pk_members"),
        schema=SCHEMA,
    )
    _index("uq_members_open", "members", ["scope", "item"], unique=True)
    place = ["cluster_id", sa.text("(- coalesce(similarity, -2))"), "item"]
    _index("ix_members_place", "members", place)
    _index("ix_members_since", "members", ["scope", "since"])
    _index("ix_members_until", "members", ["scope", sa.text(_STILL)])
    _index("ix_members_locked", "members", ["scope"], where="locked")


def _make_staged_members() -> None:
    op.create_table(
        "staged_members",
        sa.Column("run_id", sa.Uuid(as_uuid=False), nullable=False),
        _text("item"),
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("similarity", sa.Float(), nullable=True),
        _text("duplicate_of", default=""),
        _flag("locked"),
        sa.PrimaryKeyConstraint("run_id", "item", name="pk_staged_members"),
        schema=SCHEMA,
    )


def _make_departures() -> None:
    op.create_table(
        "departures",
        _text("scope"),
        _text("item"),
        sa.Column("point_id", sa.Uuid(as_uuid=False), nullable=False),
        _text("collection"),
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "item", name="pk_departures"),
        schema=SCHEMA,
    )


def _make_former() -> None:
    """The tables as they were before."""
    op.create_table(
        "cluster_versions",
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("scope"),
        *_counted(),
        _to_cluster("cluster_versions"),
        sa.PrimaryKeyConstraint("cluster_id", "version", name="pk_cluster_versions"),
        schema=SCHEMA,
    )
    size = ["scope", "version", "member_count", "cluster_id"]
    _index("ix_cluster_versions_size", "cluster_versions", size)
    op.create_table(
        "members",
        _text("scope"),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("item"),
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        _text("duplicate_of", default=""),
        _flag("locked"),
        _to_cluster("members"),
        sa.PrimaryKeyConstraint("scope", "version", "item", name="pk_members"),
        schema=SCHEMA,
    )
    _index("ix_members_item", "members", ["item"])
    _index("ix_members_place", "members", ["cluster_id", "version", "position", "item"])
    _index("ix_members_locked", "members", ["scope", "version"], where="locked")


def _counted() -> list[sa.Column[Any]]:
    return [
        sa.Column("member_count", sa.Integer(), nullable=False),
        sa.Column("cohesion", sa.Float(), nullable=False),
        _text("hero_item", default=""),
        sa.Column("hero_score", sa.Float(), server_default="0", nullable=False),
        sa.Column(
            "hero_parts", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    ]


def _times() -> list[sa.Column[Any]]:
    return [
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=True),
    ]


def _text(name: str, *, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), server_default="false", nullable=False)


def _to_cluster(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["cluster_id"],
        [f"{SCHEMA}.clusters.id"],
        name=f"fk_{table}_cluster_id",
        ondelete="CASCADE",
    )


def _index(
    name: str, table: str, columns: Sequence[Any], *, unique: bool = False, where: str = ""
) -> None:
    where = "until IS NULL" if unique else where
    condition: dict[str, Any] = {"postgresql_where": sa.text(where)} if where else {}
    op.create_index(name, table, columns, unique=unique, schema=SCHEMA, **condition)
