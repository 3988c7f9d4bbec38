"""Storing what became of publications, and what follows from it for their post."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.scheduler.domain.post import Post, PostState, path, post_state_of
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.ports import Changing

log = logging.getLogger(__name__)


async def record(
    tx: Changing, before: Post, changed: Iterable[Publication], now: datetime, **changes: Any
) -> Post:
    """Stores ``changed`` publications of ``before``, and ``changes`` of the post itself.

    The post follows its publications, move by move: each move is a version, a line in the
    history and an event. ``before`` must be locked. Answers the post as it is then.
    """
    new = {publication.id: publication for publication in changed}
    publications = tuple(new.get(p.id, p) for p in before.publications)
    for was, publication in zip(before.publications, publications, strict=True):
        if publication != was:
            await tx.publications.save(publication)
        if publication.state is not was.state:
            await tx.history.publication_moved(publication, was.state)
            if publication.state is PublicationState.FAILED:
                log.warning("%s failed: %s", publication.name, _why(publication))
    after = replace(before, publications=publications, **changes)
    if after == before:
        return before
    to = post_state_of(p.state for p in publications) or after.state
    return await move(tx, after, to, now)


async def move(tx: Changing, post: Post, to: PostState, now: datetime) -> Post:
    """Stores the post in another state, with whatever else has changed of it, move by move.

    For moves that do not come from publications. Raises FailedPrecondition (ILLEGAL_STATE_MOVE).
    """
    moves = path(post.state, to)
    if not moves:
        post = replace(post, version=post.version + 1, update_time=now)
        await tx.posts.save(post)
    for state in moves:
        was = post.state
        post = _moved(post, state, now)
        await tx.posts.save(post)
        await tx.history.post_moved(post, was)
        tx.post_events.changed(post)
    return post


def _why(publication: Publication) -> str:
    problem = publication.problem
    return f"{problem.reason}: {problem.message}" if problem else publication.state_reason


def _moved(post: Post, state: PostState, now: datetime) -> Post:
    times = [p.posted_at for p in post.publications if p.posted_at is not None]
    posted_time = max(times) if state is PostState.POSTED else None
    return replace(
        post, state=state, posted_time=posted_time, version=post.version + 1, update_time=now
    )
