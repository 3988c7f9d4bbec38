"""Tells the scheduler of the posts that went out before, so that it never sends them again."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import PastPost, PostResult
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import ColonnadeError, DeadlineExceeded, Unavailable
from libs.rpc.status import from_status
from services.catalog.domain.names import PERSONA, photo_key
from services.catalog.domain.photo import PostUse, usage_of
from services.catalog.legacy.account import EntryState, Outcome
from services.catalog.legacy.desk import PHOTOS, POSTS, Desk, Progress
from services.catalog.legacy.library import LegacyPost
from services.catalog.legacy.sent import Fate, fate_of, use_of
from services.catalog.tables import POST_USES
from services.catalog.usecases.requests import touched

_BATCH = 200
_MAX_CAPTION = 10_000
_MAX_PROVIDER_POST = 256
_MAX_PERMALINK = 2000
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class _Sent:
    """A post that went out, its photo, and what the account says of it."""

    post: LegacyPost
    photo: str
    use: PostUse
    noted: Outcome


class PastPosts:
    """See ``delivery.Receiver``."""

    name = "scheduler"

    def __init__(self, scheduler: SchedulerServiceStub) -> None:
        self._scheduler = scheduler

    async def tell(self, desk: Desk, progress: Progress) -> Sequence[str]:
        """See Receiver. Whatever a provider still has to send is told once it is due."""
        sent = await self._untold(desk)
        waiting: list[str] = []
        done = 0
        for persona, batch in _batches(sent):
            request = pb.ImportPostsRequest(
                parent=PERSONA.format(persona), posts=[_past(one) for one in batch]
            )
            try:
                answer = await self._scheduler.ImportPosts(request)
            except (Unavailable, DeadlineExceeded):
                raise
            except ColonnadeError as error:
                waiting.append(f"posts of {request.parent}: {error.message}")
                continue
            for one, result in zip(batch, answer.results, strict=True):
                waiting += await _settle(desk, one, result)
            done += len(batch)
            progress("posts told to the scheduler", done, len(sent))
        return waiting

    async def take_back(self, desk: Desk, progress: Progress) -> Sequence[str]:
        """See Receiver. What went out went out: the scheduler's history stays."""
        return ()

    async def _untold(self, desk: Desk) -> list[_Sent]:
        photos = await desk.targets(PHOTOS)
        entries = await desk.entries(POSTS)
        posts = {post.id: post for post in desk.library.posts}
        now = desk.tools.clock.now()
        found: list[_Sent] = []
        for id, entry in entries.items():
            post = posts[id]
            photo = photos.get(post.photo, "")
            untold = entry.outcome.state is EntryState.DONE and not entry.delivered
            if untold and photo and fate_of(post, now) is not Fate.HANDED_OVER:
                use = use_of(post, now)
                assert use is not None, "only a post that uses its photo is done"
                found.append(_Sent(post, photo, use, entry.outcome))
        # A photo is in one post there: in the last one that went out.
        return sorted(found, key=lambda one: _time_of(one.use), reverse=True)


def _batches(sent: Sequence[_Sent]) -> Iterator[tuple[str, Sequence[_Sent]]]:
    """A few posts of one persona at a time."""
    of_persona: dict[str, list[_Sent]] = {}
    for one in sent:
        of_persona.setdefault(photo_key(one.photo).persona, []).append(one)
    for persona, posts in of_persona.items():
        for start in range(0, len(posts), _BATCH):
            yield persona, posts[start : start + _BATCH]


def _past(sent: _Sent) -> PastPost:
    post = sent.post
    provider = post.provider.lower()
    return PastPost(
        # With the photo: after a rollback it comes in anew, and must be spent anew.
        external_id=f"legacy/{post.id}/{photo_key(sent.photo).id}"[:200],
        photo=sent.photo,
        posted_time=_timestamp(_time_of(sent.use)),
        caption=post.caption[:_MAX_CAPTION],
        provider=provider if _PROVIDER.fullmatch(provider) else "",
        provider_post_id=post.provider_post[:_MAX_PROVIDER_POST],
        permalink=post.permalink[:_MAX_PERMALINK],
    )


def _time_of(use: PostUse) -> datetime:
    assert use.posted_time is not None, "a post that went out did so at some time"
    return use.posted_time


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


async def _settle(desk: Desk, sent: _Sent, result: PostResult) -> list[str]:
    """Writes down what the scheduler said of one post; why it still waits, if it does."""
    if not result.status.code:
        await _hand_over(desk, sent, result)
    elif not _spent(result):
        return [f"post {sent.post.id}: {result.status.message}"]
    await desk.account.deliver(desk.migration.id, POSTS, [sent.post.id])
    return []


def _spent(result: PostResult) -> bool:
    """Whether another post of the same photo went out: it is spent, and our note of this stays."""
    error = from_status(result.status)
    return error.reason == "PHOTO_ALREADY_SCHEDULED" and error.metadata.get("state") == "POSTED"


async def _hand_over(desk: Desk, sent: _Sent, result: PostResult) -> None:
    """From now on the scheduler's post is what used the photo, and no longer our note of it."""
    async with desk.tools.catalog.changing() as tx:
        photo = await tx.photos.locked(photo_key(sent.photo))
        if photo is not None:
            # Version 0: whatever the scheduler itself says of its post is newer.
            await tx.photos.use(photo.id, result.post.name, sent.use, 0)
            note = POST_USES.c.photo_id == photo.id, POST_USES.c.post == sent.noted.target
            await tx.connection.execute(POST_USES.delete().where(*note))
            usage, posted_time = usage_of(await tx.photos.uses(photo.id))
            after = replace(photo, usage=usage, posted_time=posted_time)
            await tx.photos.save(touched(after, desk.tools.clock.now()))
        told = replace(sent.noted, target=result.post.name)
        migration = desk.migration.id
        await desk.account.note_in(tx.connection, migration, POSTS, sent.post.id, told)
        await tx.commit()
