"""Approving posts, and keeping those back that nobody approved."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from libs.clock import Clock
from libs.errors import Conflict
from libs.rpc.requests import RequestKey
from services.scheduler.domain.approval import APPROVAL_HELD, content_of, obstacle_of
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key, post_key
from services.scheduler.domain.post import Approval, Post, check_approvable
from services.scheduler.domain.publication import Problem, Publication, PublicationState
from services.scheduler.ports import Changing, Store
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.recording import move, record
from services.scheduler.usecases.requests import claimed

_WAITING: Final = (PublicationState.READY, PublicationState.RETRY_WAIT)


def shown(publication: Publication, post: Post, is_required: bool) -> Publication:
    """The publication of ``post`` as it says whether it waits for an approval."""
    is_held = publication.problem is not None and publication.problem.reason == APPROVAL_HELD
    obstacle = obstacle_of(post) if is_required else ""
    if publication.state not in _WAITING or (publication.problem is not None and not is_held):
        return publication
    if obstacle:
        problem = Problem(APPROVAL_HELD, obstacle, retryable=True)
        return replace(publication, state_reason=obstacle, problem=problem)
    return replace(publication, state_reason="", problem=None) if is_held else publication


class ApprovePosts:
    """Gives approvals and takes them back."""

    def __init__(self, store: Store, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace

    async def approve(self, key: Key, etag: str, approver: str, request: RequestKey) -> Post:
        """The post, approved as it is; what waited for that goes on.

        Raises NotFound, Conflict (STALE_ETAG) if it is not the post that was looked at,
        FailedPrecondition (POST_SENT, ILLEGAL_STATE_MOVE).
        """
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            post, channels = await _locked(tx, key)
            if etag != str(post.version):
                raise Conflict("the post has changed; look at it again", reason="STALE_ETAG")
            check_approvable(post)
            approval = Approval(content_of(post), approver, self._clock.now())
            approved = replace(post, approval=approval)
            return await self._stored(tx, approved, channels, request)

    async def withdraw(self, key: Key, request: RequestKey) -> Post:
        """The post, as nobody approved it. Raises NotFound, FailedPrecondition (POST_SENT)."""
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            post, channels = await _locked(tx, key)
            if post.approval is None:
                return post
            check_approvable(post)
            withdrawn = replace(post, approval=None)
            return await self._stored(tx, withdrawn, channels, request)

    async def _stored(
        self, tx: Changing, post: Post, channels: Sequence[Channel], request: RequestKey
    ) -> Post:
        now = self._clock.now()
        asking = {channel.id for channel in channels if channel.approval_required}
        changed = []
        for was in post.publications:
            told = shown(was, post, was.channel in asking)
            if told.problem is None and was.problem is not None:
                first = self._pace.first_attempt(told.due_at, now, told.provider)
                told = replace(told, next_attempt_at=first)
            changed.append(told)
        if tuple(changed) == post.publications:
            post = await move(tx, post, post.state, now)
        else:
            post = await record(tx, post, changed, now)
        await tx.requests.record(request.id, post.name)
        await tx.commit()
        return post


async def _locked(tx: Changing, key: Key) -> tuple[Post, Sequence[Channel]]:
    """The post, and the channels that it is on, which are locked before it as everywhere else."""
    seen = _channels_of(await tx.posts.get(key))
    channels = await tx.channels.pinned(key.persona, seen) if seen else ()
    post = await tx.posts.locked(key)
    if _channels_of(post) != seen:
        raise Conflict(f"{post.name} was put on other channels just now; try again")
    return post, channels


def _channels_of(post: Post) -> Sequence[str]:
    return [publication.channel for publication in post.publications if publication.channel]
