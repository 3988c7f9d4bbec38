"""The statements that take items out of the versions that there are."""

from sqlalchemy import text

ERASE = text(
    """
    WITH gone AS (
        DELETE FROM clustering.members
        WHERE scope = :scope AND item = ANY(CAST(:items AS text[]))
        RETURNING *
    ),
    noted AS (
        -- Whoever is at work on a version must not show them either, wherever they are.
        INSERT INTO clustering.scopes AS s (scope, erasures) VALUES (:scope, 1)
        ON CONFLICT (scope) DO UPDATE SET erasures = s.erasures + 1
    ),
    unpinned AS (
        UPDATE clustering.clusters SET pinned_hero = ''
        WHERE scope = :scope AND pinned_hero = ANY(CAST(:items AS text[]))
    ),
    accepted AS (
        DELETE FROM clustering.refusals WHERE item = ANY(CAST(:items AS text[]))
    )
    SELECT since, CAST(cluster_id AS text) AS cluster_id FROM gone
    """
)
"""Takes items out of every version; answers the clusters that they were in, and since when."""

RECOUNT = text(
    """
    WITH touched AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:clusters AS uuid[]), CAST(:since AS integer[]))
            AS given(cluster_id, since)
    ),
    steps AS (
        SELECT m.cluster_id, m.since AS at, 1 AS number, similarity,
            CAST(similarity IS NOT NULL AS integer) AS compared
        FROM touched JOIN clustering.members AS m USING (cluster_id)
        UNION ALL
        SELECT m.cluster_id, m.until, -1, - similarity, - CAST(similarity IS NOT NULL AS integer)
        FROM touched JOIN clustering.members AS m USING (cluster_id) WHERE m.until IS NOT NULL
        UNION ALL
        SELECT v.cluster_id, v.since, 0, 0, 0
        FROM touched JOIN clustering.cluster_versions AS v USING (cluster_id)
    ),
    sums AS (
        SELECT cluster_id, at, sum(sum(number)) OVER life AS number,
            sum(sum(compared)) OVER life AS compared, sum(sum(similarity)) OVER life AS similarity
        FROM steps GROUP BY cluster_id, at
        WINDOW life AS (PARTITION BY cluster_id ORDER BY at)
    )
    UPDATE clustering.cluster_versions AS v SET
        member_count = sums.number,
        cohesion = CASE WHEN sums.compared > 0
            THEN least(greatest(sums.similarity / sums.compared, 0), 1) ELSE 0 END,
        pinned_hero = CASE WHEN v.pinned_hero = ANY(CAST(:items AS text[]))
            THEN '' ELSE v.pinned_hero END
    FROM sums JOIN touched USING (cluster_id)
    WHERE v.cluster_id = sums.cluster_id AND v.since = sums.at
        AND coalesce(v.until, 2147483647) > touched.since
    """
)
"""Counts the members of clusters anew, in all versions since the given ones."""

FREE_COPIES = text(
    """
    WITH copies AS MATERIALIZED (
        SELECT item FROM clustering.members
        WHERE scope = :scope AND until IS NULL AND duplicate_of <> ''
            AND duplicate_of = ANY(CAST(:items AS text[]))
        UNION
        SELECT item FROM clustering.members
        WHERE cluster_id = ANY(CAST(:clusters AS uuid[])) AND scope = :scope
            AND duplicate_of = ANY(CAST(:items AS text[]))
    ),
    freed AS (
        UPDATE clustering.members SET duplicate_of = ''
        WHERE scope = :scope AND item IN (SELECT item FROM copies)
            AND duplicate_of = ANY(CAST(:items AS text[]))
        RETURNING item
    )
    UPDATE clustering.item_vectors SET grouped = false
    WHERE grouped AND item IN (SELECT item FROM freed)
    """
)
"""Copies of what is gone are copies no more, wherever people put them, and wait for a run to take
them for what they are."""

REPLACE_HEROES = text(
    """
    UPDATE clustering.cluster_versions AS v SET (hero_item, hero_score, hero_parts) = (
        SELECT coalesce(max(item), ''), coalesce(max(nearness), 0),
            CASE WHEN count(*) = 0 THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object(
                'id', 'centrality', 'value', max(nearness), 'weight', 1)) END
        FROM (
            SELECT m.item, greatest(coalesce(m.similarity, 0), 0) AS nearness
            FROM clustering.members AS m
            WHERE m.cluster_id = v.cluster_id AND m.since <= v.since
                AND coalesce(m.until, 2147483647) > v.since
            ORDER BY (- coalesce(m.similarity, -2)), m.item LIMIT 1
        ) AS best
    )
    WHERE v.cluster_id = ANY(CAST(:clusters AS uuid[])) AND v.until IS NOT NULL
        AND v.hero_item = ANY(CAST(:items AS text[]))
    """
)
"""In versions of before, the most central one of the rest follows a hero that is gone."""
