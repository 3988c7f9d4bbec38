"""The clustering service: vectors of items, similar and duplicate ones, clusters in versions.

Owns the schema ``clustering`` (items, near_pairs, collections, runs, scopes, clusters,
cluster_versions, members) and the vector collections. Reads the catalog's stream (`photo.*`) and
calls the embedding service. Tells `photo.embedded`, `photo.embedding_failed`, `clusters.updated`.
"""
