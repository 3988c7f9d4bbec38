"""The clustering service: vectors of items, similar and duplicate ones, clusters in versions.

Owns the schema ``clustering`` (items, near_pairs, collections, runs, scopes, clusters,
cluster_versions, members, refusals, cluster_pillars, cluster_edits) and the vector collections.
Reads the catalog's stream (`photo.*`) and calls the embedding service. Tells `photo.embedded`,
`photo.embedding_failed`, `clusters.updated`.

A run writes a new version of a scope's clusters. What people decide goes into the newest version at
once, with what makes it last beside it: locked members, refusals, pins, merges, curated clusters.
Each run takes these over into its version, under the same lock of the scope as the edits.
"""
