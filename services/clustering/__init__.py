"""The clustering service: vectors of items, similar and duplicate ones, clusters in versions.

Owns the schema ``clustering`` (items, item_vectors, item_posts, near_pairs, collections, runs,
scopes, clusters, cluster_versions, members, refusals, cluster_pillars, cluster_edits) and the
vector collections. Reads the streams of the catalog (`photo.*`) and the scheduler (`post.changed`)
and calls the embedding service; asks the catalog for what was never told of old photos. Tells
`photo.embedded`, `photo.embedding_failed`, `clusters.updated`.

A collection is a generation: the vectors of one model of all photos. Where an item stands in each
is a row of ``item_vectors``; which one is active is the state of one row of ``collections``, so a
switch changes two rows whatever the number of photos. An answer is made of one generation from
beginning to end.

A run writes a new version of a scope's clusters. What people decide goes into the newest version at
once, with what makes it last beside it: locked members, refusals, pins, merges, curated clusters.
Each run takes these over into its version, under the same lock of the scope as the edits.
"""
