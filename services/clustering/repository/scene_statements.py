"""The statements that read what there is around a change of the newest version."""

from sqlalchemy import text

SCENE = text(
    """
    WITH places AS MATERIALIZED (
        SELECT item, CAST(cluster_id AS text) AS cluster_id, similarity, duplicate_of, locked
        FROM clustering.members
        WHERE scope = :scope AND until IS NULL AND item = ANY(CAST(:items AS text[]))
        UNION
        SELECT item, CAST(cluster_id AS text), similarity, duplicate_of, locked
        FROM clustering.members
        WHERE until IS NULL AND cluster_id = ANY(CAST(:within AS uuid[]))
    ),
    chosen AS (
        SELECT CAST(unnest(CAST(:clusters AS text[])) AS uuid) AS id
        UNION SELECT CAST(cluster_id AS uuid) FROM places
    )
    SELECT 'scope' AS kind, to_jsonb(s) AS data FROM clustering.scopes AS s WHERE scope = :scope
    UNION ALL
    SELECT 'cluster', to_jsonb(c) || to_jsonb(shown)
    FROM chosen JOIN clustering.clusters AS c USING (id)
    LEFT JOIN LATERAL (
        SELECT since, until, member_count, cohesion, hero_item, hero_score, hero_parts
        FROM clustering.cluster_versions WHERE cluster_id = c.id ORDER BY since DESC LIMIT 1
    ) AS shown ON true
    WHERE c.scope = :scope AND c.delete_time IS NULL
    UNION ALL
    SELECT 'place', to_jsonb(places) FROM places
    UNION ALL
    SELECT 'live', to_jsonb(name) FROM clustering.items
    WHERE scope = :scope AND state = 'live' AND name = ANY(CAST(:items AS text[]))
    UNION ALL
    SELECT 'refusal', to_jsonb(r) FROM clustering.refusals AS r
    WHERE cluster_id = ANY(CAST(:clusters AS uuid[]))
        AND (item = ANY(CAST(:items AS text[])) OR item IN (SELECT item FROM places))
    UNION ALL
    SELECT 'titled', jsonb_build_object('id', c.id, 'title', asked.title)
    FROM clustering.clusters AS c
    JOIN (
        SELECT :title AS title
        UNION SELECT title FROM clustering.clusters WHERE id = ANY(CAST(:clusters AS uuid[]))
    ) AS asked ON lower(c.title) = lower(asked.title)
    WHERE c.scope = :scope AND c.state <> 'retired'
    """
)
"""What an edit needs to know, before the version it makes; each row says what it is."""

MOVED = text(
    """
    SELECT item, CAST(former.cluster_id AS text) AS before, CAST(latter.cluster_id AS text) AS now
    FROM (
        SELECT item, cluster_id FROM clustering.members
        WHERE scope = :scope AND since <= :after AND until IS NOT NULL
            AND coalesce(until, 2147483647) > :after
            -- The same as that it is not null, for the index: most rows are open ones.
            AND coalesce(until, 2147483647) < 2147483647 AND duplicate_of = ''
    ) AS former
    FULL JOIN (
        SELECT item, cluster_id FROM clustering.members
        WHERE scope = :scope AND since > :after AND until IS NULL AND duplicate_of = ''
    ) AS latter USING (item)
    WHERE former.cluster_id IS DISTINCT FROM latter.cluster_id AND EXISTS (
        SELECT FROM clustering.item_vectors AS v JOIN clustering.scopes AS s
            ON s.scope = :scope AND s.collection = v.collection
        WHERE v.item = coalesce(former.item, latter.item) AND v.grouped
    )
    ORDER BY item
    """
)
"""Where items count that the memory of a version does not have there, or has elsewhere."""
