"""The clustering service: vectors of items, similar and duplicate ones, clusters in versions.

Owns the schema ``clustering`` (items, item_vectors, item_posts, near_pairs, collections, runs,
scopes, versions, clusters, cluster_versions, members, staged_members, departures, refusals,
cluster_pillars, cluster_edits) and the vector collections. Reads the streams of the catalog
(`photo.*`) and the scheduler (`post.changed`) and calls the embedding service; asks the catalog for
what was never told of old photos. Tells `photo.embedded`, `photo.embedding_failed`,
`photo.copies_found`, `clusters.updated`.

A collection is a generation: the vectors of one model of all photos. Where an item stands in each
is a row of ``item_vectors``; which one is active is the state of one row of ``collections``, so a
switch changes two rows whatever the number of photos. An answer is made of one generation from
beginning to end.

Every change of clusters is a version of its scope: what a run found, each edit of people, each
undo. A row of ``members`` or ``cluster_versions`` holds from one version until another, so a
version costs what is other in it, and each one that is kept can be read as it was.
``usecases/history.py`` is the only way in; it needs the lock of the scope and tells of the version.
What makes people's decisions last lies beside that: locked members, refusals, pins, merges, curated
clusters. What is deleted goes from every version, and waits in ``departures`` for the next run to
take it out of its memory.
"""
