"""The scheduler: channels, posts, and publishing each post once on each of its channels.

Owns the schema ``scheduler`` and the folder ``publications`` of the blob store. Serves
``colonnade.scheduler.v1.SchedulerService``. Tells ``post.changed``; listens to ``photo.created``,
``photo.updated``, ``photo.deleted``, ``campaign.imported`` and ``photo.copies_found``. The rows are
the truth of all that is published; ``tick`` finds those for which something is to be done.
"""
