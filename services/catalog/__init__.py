"""The catalog: personas, their pillars and photos, and what is missing.

Owns the schema ``catalog`` and the folders ``originals``, ``thumbnails`` and ``publish`` of the
blob store. Serves ``colonnade.catalog.v1.CatalogService``. Tells ``photo.created``,
``photo.updated`` and ``photo.deleted``; listens to what became of embeddings and posts.
"""
