"""The statements that write versions: each version is one of them, whatever changes with it.

A row of ``members`` or ``cluster_versions`` holds from the version ``since`` until the one before
``until``, or still. To change it is to close it and to open another one. Both happen in one
statement, and the new row must not meet the old one in the unique index of the open ones: that is
why whatever opens first counts what was closed.
"""

from sqlalchemy import text

_GIVEN = """
    SELECT * FROM unnest(
        CAST(:items AS text[]), CAST(:homes AS uuid[]), CAST(:similarities AS float8[]),
        CAST(:originals AS text[]), CAST(:locks AS boolean[])
    ) AS changes(item, cluster_id, similarity, duplicate_of, locked)
"""
# What is staged is everything, but locked items stay and refused ones are in no cluster.
_STAGED = f"""
    WITH changes AS MATERIALIZED ({_GIVEN})
    SELECT * FROM changes
    UNION ALL
    SELECT s.item, CASE WHEN r.item IS NULL THEN s.cluster_id END, s.similarity, s.duplicate_of,
        s.locked
    FROM clustering.staged_members AS s
    JOIN clustering.items AS i ON i.name = s.item AND i.state = 'live'
    LEFT JOIN clustering.refusals AS r
        ON r.cluster_id = s.cluster_id AND r.item = s.item AND r.kind = 'member'
    LEFT JOIN clustering.members AS m
        ON m.scope = :scope AND m.item = s.item AND m.until IS NULL AND m.locked
    WHERE s.run_id = CAST(:staged AS uuid) AND m.item IS NULL
        AND NOT EXISTS (SELECT FROM changes WHERE changes.item = s.item)
    UNION ALL
    SELECT m.item, NULL, NULL, '', false
    FROM clustering.members AS m
    WHERE m.scope = :scope AND m.until IS NULL AND NOT m.locked
        AND NOT EXISTS (
            SELECT FROM clustering.staged_members AS s
            WHERE s.run_id = CAST(:staged AS uuid) AND s.item = m.item
        )
        AND NOT EXISTS (SELECT FROM changes WHERE changes.item = m.item)
"""
_WRITE = """
WITH given AS MATERIALIZED ({given}),
moved AS MATERIALIZED (
    SELECT given.*, m.cluster_id AS former
    FROM given
    LEFT JOIN clustering.members AS m
        ON m.scope = :scope AND m.item = given.item AND m.until IS NULL
    WHERE (m.item IS NOT NULL OR given.cluster_id IS NOT NULL)
        AND ROW(m.cluster_id, m.similarity, m.duplicate_of, m.locked) IS DISTINCT FROM
            ROW(given.cluster_id, given.similarity, given.duplicate_of, given.locked)
),
closed_members AS (
    UPDATE clustering.members AS m SET until = :version FROM moved
    WHERE m.scope = :scope AND m.item = moved.item AND m.until IS NULL
    RETURNING m.item
),
opened_members AS (
    INSERT INTO clustering.members
        (scope, item, since, cluster_id, similarity, duplicate_of, locked)
    SELECT :scope, item, :version, cluster_id, similarity, duplicate_of, locked FROM moved
    WHERE cluster_id IS NOT NULL AND (SELECT count(*) FROM closed_members) >= 0
),
delta AS MATERIALIZED (
    SELECT id, sum(number) AS number FROM (
        SELECT former AS id, -1 AS number FROM moved WHERE former IS NOT NULL
        UNION ALL SELECT cluster_id, 1 FROM moved WHERE cluster_id IS NOT NULL
    ) AS steps GROUP BY id
),
gone AS MATERIALIZED (
    SELECT id FROM unnest(CAST(:retired AS uuid[]) || CAST(:deleted AS uuid[])) AS ids(id)
),
heads AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:heads AS jsonb)) AS head(
        id uuid, key text, title text, title_pinned boolean, summary text, prompt_hint text,
        state text, origin text, merged_into text, merge_pinned boolean, pinned_hero text,
        create_time timestamptz, cohesion float8, hero_item text, hero_score float8,
        hero_parts jsonb
    )
),
touched AS MATERIALIZED (
    SELECT id FROM heads UNION SELECT id FROM delta
    EXCEPT SELECT id FROM gone
),
means AS MATERIALIZED (
    SELECT cluster_id, avg(similarity ORDER BY similarity DESC) AS mean FROM (
        SELECT m.cluster_id, m.similarity
        FROM delta JOIN clustering.members AS m ON m.cluster_id = delta.id AND m.until IS NULL
        WHERE :measured AND NOT EXISTS (SELECT FROM moved WHERE moved.item = m.item)
        UNION ALL SELECT cluster_id, similarity FROM moved WHERE :measured
    ) AS compared GROUP BY cluster_id
),
next AS MATERIALIZED (
    SELECT touched.id,
        coalesce(heads.key, c.key) AS key,
        coalesce(heads.title, c.title) AS title,
        coalesce(heads.title_pinned, c.title_pinned) AS title_pinned,
        coalesce(heads.summary, c.summary) AS summary,
        coalesce(heads.prompt_hint, c.prompt_hint) AS prompt_hint,
        coalesce(heads.state, c.state) AS state,
        coalesce(heads.origin, c.origin) AS origin,
        coalesce(heads.merged_into, c.merged_into) AS merged_into,
        coalesce(heads.merge_pinned, c.merge_pinned) AS merge_pinned,
        coalesce(heads.pinned_hero, c.pinned_hero) AS pinned_hero,
        coalesce(heads.create_time, c.create_time) AS create_time,
        coalesce(o.member_count, 0) + coalesce(delta.number, 0) AS member_count,
        CASE WHEN :measured AND delta.id IS NOT NULL
            THEN least(greatest(coalesce(means.mean, 0), 0), 1)
            ELSE coalesce(heads.cohesion, o.cohesion, 0) END AS cohesion,
        coalesce(heads.hero_item, o.hero_item, '') AS hero_item,
        coalesce(heads.hero_score, o.hero_score, 0) AS hero_score,
        coalesce(heads.hero_parts, o.hero_parts, '[]') AS hero_parts
    FROM touched
    LEFT JOIN heads USING (id)
    LEFT JOIN delta USING (id)
    LEFT JOIN clustering.clusters AS c USING (id)
    LEFT JOIN clustering.cluster_versions AS o ON o.cluster_id = touched.id AND o.until IS NULL
    LEFT JOIN means ON means.cluster_id = touched.id
    WHERE o.cluster_id IS NULL OR delta.id IS NOT NULL OR :measured
        OR ROW(o.title, o.title_pinned, o.summary, o.prompt_hint, o.state, o.merged_into,
               o.merge_pinned, o.pinned_hero, o.cohesion, o.hero_item, o.hero_score, o.hero_parts)
        IS DISTINCT FROM
           ROW(heads.title, heads.title_pinned, heads.summary, heads.prompt_hint, heads.state,
               heads.merged_into, heads.merge_pinned, heads.pinned_hero, heads.cohesion,
               heads.hero_item, heads.hero_score, heads.hero_parts)
),
put AS (
    INSERT INTO clustering.clusters AS c
        (id, scope, key, title, title_pinned, summary, prompt_hint, state, origin, merged_into,
         merge_pinned, pinned_hero, create_time, update_time)
    SELECT id, :scope, key, title, title_pinned, summary, prompt_hint, state, origin, merged_into,
        merge_pinned, pinned_hero, create_time, :now
    FROM next ORDER BY state <> 'retired'
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title, title_pinned = excluded.title_pinned, summary = excluded.summary,
        prompt_hint = excluded.prompt_hint, state = excluded.state,
        merged_into = excluded.merged_into, merge_pinned = excluded.merge_pinned,
        pinned_hero = excluded.pinned_hero, update_time = excluded.update_time, delete_time = NULL,
        row_version = c.row_version + CAST(
            ROW(c.title, c.title_pinned, c.summary, c.prompt_hint, c.state, c.merged_into,
                c.merge_pinned, c.pinned_hero)
            IS DISTINCT FROM
            ROW(excluded.title, excluded.title_pinned, excluded.summary, excluded.prompt_hint,
                excluded.state, excluded.merged_into, excluded.merge_pinned, excluded.pinned_hero)
            AS integer)
    RETURNING id, row_version
),
ended AS (
    UPDATE clustering.clusters AS c SET
        state = CASE WHEN state = 'active' OR id = ANY(CAST(:deleted AS uuid[]))
            THEN 'retired' ELSE state END,
        merged_into = CASE WHEN merge_pinned THEN merged_into
            ELSE coalesce(CAST(:merged AS jsonb) ->> CAST(id AS text), merged_into) END,
        delete_time = CASE WHEN id = ANY(CAST(:deleted AS uuid[]))
            THEN CAST(:now AS timestamptz) END,
        update_time = :now, row_version = row_version + 1
    WHERE id IN (SELECT id FROM gone)
),
unmerged AS (
    UPDATE clustering.clusters SET merged_into = '', merge_pinned = false
    WHERE scope = :scope AND merged_into = ANY(CAST(CAST(:deleted AS uuid[]) AS text[]))
),
unassigned AS (
    DELETE FROM clustering.cluster_pillars WHERE cluster_id = ANY(CAST(:deleted AS uuid[]))
),
closed_heads AS (
    UPDATE clustering.cluster_versions SET until = :version
    WHERE until IS NULL
        AND cluster_id IN (SELECT id FROM next UNION ALL SELECT id FROM gone)
    RETURNING cluster_id
),
opened_heads AS (
    INSERT INTO clustering.cluster_versions
        (cluster_id, since, scope, title, title_pinned, summary, prompt_hint, state, merged_into,
         merge_pinned, pinned_hero, update_time, row_version, member_count, cohesion, hero_item,
         hero_score, hero_parts)
    SELECT id, :version, :scope, title, title_pinned, summary, prompt_hint, state, merged_into,
        merge_pinned, pinned_hero, :now, row_version, member_count, cohesion, hero_item,
        hero_score, hero_parts
    FROM next JOIN put USING (id) WHERE (SELECT count(*) FROM closed_heads) >= 0
),
totals AS (
    SELECT count(*) AS clusters, coalesce(sum(member_count), 0) AS clustered FROM (
        SELECT member_count FROM next WHERE state <> 'retired'
        UNION ALL
        SELECT member_count FROM clustering.cluster_versions AS o
        WHERE o.scope = :scope AND coalesce(until, 2147483647) = 2147483647
            AND o.state <> 'retired'
            AND NOT EXISTS (SELECT FROM next WHERE next.id = o.cluster_id)
            AND NOT EXISTS (SELECT FROM gone WHERE gone.id = o.cluster_id)
    ) AS open_heads
),
listed AS (
    INSERT INTO clustering.versions
        (scope, version, kind, cause, create_time, items, clustered, clusters, duplicates, diff,
         state_key)
    SELECT :scope, :version, :kind, :cause, :now, coalesce(
            CAST(:looked_at AS integer),
            (SELECT items FROM clustering.versions
             WHERE scope = :scope AND version = CAST(:version AS integer) - 1),
            0
        ), clustered, clusters, coalesce(
            CAST(:duplicates AS integer),
            (SELECT duplicates FROM clustering.versions
             WHERE scope = :scope AND version = CAST(:version AS integer) - 1),
            0
        ), CAST(:diff AS jsonb), :version_state_key
    FROM totals
),
remembered AS (
    INSERT INTO clustering.scopes
        (scope, version, state_key, next_key, collection, memory_version)
    VALUES (:scope, :version, :state_key, :next_key, :collection, :memory_version)
    ON CONFLICT (scope) DO UPDATE SET
        version = excluded.version, state_key = excluded.state_key, next_key = excluded.next_key,
        collection = excluded.collection, memory_version = excluded.memory_version
),
settled AS (
    UPDATE clustering.item_vectors SET grouped = true
    -- Those as well whose text was changed since: the memory has the vector that they had.
    WHERE collection = :collection AND NOT grouped AND {settled}
),
{unseen}departed AS (
    DELETE FROM clustering.departures
    WHERE scope = :scope AND item = ANY(CAST(:departed AS text[]))
),
noted AS (
    INSERT INTO clustering.cluster_edits
        (id, scope, kind, clusters, item_count, before, create_time)
    SELECT id, :scope, kind, clusters, item_count, before, :now
    FROM jsonb_to_recordset(CAST(:edits AS jsonb))
        AS edit(id uuid, kind text, clusters uuid[], item_count integer, before jsonb)
),
undone AS (
    UPDATE clustering.cluster_edits SET undo_time = :now, before = NULL
    WHERE id = CAST(:undone AS uuid)
),
refused AS (
    INSERT INTO clustering.refusals (cluster_id, item, kind)
    SELECT * FROM jsonb_to_recordset(CAST(:refused AS jsonb))
        AS refusal(cluster_id uuid, item text, kind text)
    ON CONFLICT DO NOTHING
),
accepted AS (
    DELETE FROM clustering.refusals AS r
    USING jsonb_to_recordset(CAST(:accepted AS jsonb))
        AS given(cluster_id uuid, item text, kind text)
    WHERE r.cluster_id = given.cluster_id AND r.item = given.item AND r.kind = given.kind
),
forgiven AS (
    DELETE FROM clustering.refusals WHERE cluster_id = ANY(CAST(:deleted AS uuid[]))
)
SELECT CAST(next.id AS text) AS id, CAST(:scope AS text) AS scope, next.key, next.title,
    next.title_pinned, next.summary, next.prompt_hint, next.state, next.origin, next.merged_into,
    next.merge_pinned, next.pinned_hero, next.create_time,
    CAST(:now AS timestamptz) AS update_time, put.row_version,
    CAST(:version AS integer) AS since, CAST(NULL AS integer) AS until,
    CAST(:version AS integer) AS newest, next.member_count, next.cohesion, next.hero_item,
    next.hero_score, next.hero_parts
FROM next JOIN put USING (id)
"""
# What was not staged is not in the memory either: it waits until its vector is there again.
_UNSEEN = """unseen AS (
    UPDATE clustering.item_vectors AS v SET grouped = false
    WHERE scope = :scope AND collection = :collection AND state = 'ready' AND grouped
        AND NOT EXISTS (
            SELECT FROM clustering.staged_members AS s
            WHERE s.run_id = CAST(:staged AS uuid) AND s.item = v.item
        )
),
"""
WRITE = text(_WRITE.format(given=_GIVEN, settled="item = ANY(CAST(:settled AS text[]))", unseen=""))
"""Writes a version from its changes; answers the clusters that it shows otherwise."""

WRITE_STAGED = text(
    _WRITE.format(
        given=_STAGED,
        settled="item IN (SELECT item FROM clustering.staged_members"
        " WHERE run_id = CAST(:staged AS uuid) UNION ALL SELECT unnest(CAST(:settled AS text[])))",
        unseen=_UNSEEN,
    )
)
"""The same from what was staged for a run."""

STAGE = text(
    """
    INSERT INTO clustering.staged_members
        (run_id, item, cluster_id, similarity, duplicate_of, locked)
    SELECT CAST(:run AS uuid), * FROM unnest(
        CAST(:items AS text[]), CAST(:homes AS uuid[]), CAST(:similarities AS float8[]),
        CAST(:originals AS text[]), CAST(:locks AS boolean[])
    )
    ON CONFLICT (run_id, item) DO UPDATE SET
        cluster_id = excluded.cluster_id, similarity = excluded.similarity,
        duplicate_of = excluded.duplicate_of, locked = excluded.locked
    """
)

UNSTAGE = text("DELETE FROM clustering.staged_members WHERE run_id = CAST(:run AS uuid)")

LEFT_STAGED = text(
    """
    WITH RECURSIVE staged AS (
        (SELECT run_id FROM clustering.staged_members ORDER BY run_id LIMIT 1)
        UNION ALL
        SELECT next.run_id FROM staged, LATERAL (
            SELECT run_id FROM clustering.staged_members AS s
            WHERE s.run_id > staged.run_id ORDER BY run_id LIMIT 1
        ) AS next
    )
    SELECT CAST(run_id AS text) AS run_id FROM staged
    WHERE NOT EXISTS (
        SELECT FROM clustering.runs AS r
        WHERE r.id = staged.run_id AND r.state = ANY(CAST(:active AS text[]))
    )
    """
)
"""The runs that ended or are gone and have something staged: one step in the index each."""
