"""Lost answers, dead workers, many workers, doubled messages: always one post at the provider."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post, Publication

from libs.errors import AlreadyExists
from services.scheduler.deps import Task, job_tasks
from services.scheduler.domain.channel import Provider
from services.scheduler.providers.base import (
    Channel,
    Note,
    Publisher,
    PublishRequest,
    RemotePost,
    Submitted,
)
from services.scheduler.usecases.tasks import PUBLISH, TICK
from tests.support.buffer import MASTODON_ID
from tests.support.scheduler_fakes import Killed
from tests.support.scheduler_world import ListedQueue, World

pytestmark = pytest.mark.asyncio(loop_scope="package")


class Disturbed:
    """Publishers whose ``submit`` is disturbed: ``before`` or ``after`` the call it awaits.

    As many reads of ``status`` as ``misses`` says do not list what is there.
    """

    def __init__(self, world: World) -> None:
        self._publishers = world.out.publishers
        self.before: Any = None
        self.after: Any = None
        self.misses = 0

    def of(self, provider: Provider, endpoint: str) -> Publisher:
        return _Publisher(self, self._publishers.of(provider, endpoint))  # type: ignore[return-value]


class _Publisher:
    def __init__(self, disturbed: Disturbed, publisher: Publisher) -> None:
        self._disturbed = disturbed
        self._publisher = publisher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._publisher, name)

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        found = await self._publisher.status(channel, posts)
        if self._disturbed.misses:
            self._disturbed.misses -= 1
            return []
        return found

    async def submit(self, channel: Channel, request: PublishRequest, note: Note) -> Submitted:
        if self._disturbed.before:
            await self._disturbed.before()
        submitted = await self._publisher.submit(channel, request, note)
        if self._disturbed.after:
            await self._disturbed.after()
        return submitted


def worker(
    world: World, publishers: Any = None, queue: ListedQueue | None = None
) -> Mapping[str, Task]:
    """The tasks of another worker process."""
    out = replace(
        world.out,
        publishers=publishers or world.out.publishers,
        queue=queue or world.queue,
    )
    return job_tasks(out, world.settings)


async def publication_of(world: World, post: Post) -> Publication:
    [publication] = (await world.get(post)).publications
    return publication


async def kill() -> None:
    raise Killed


@pytest.mark.parametrize(
    ("fault", "calls"),
    [({"kind": "drop_after"}, 1), ({"kind": "gateway_error"}, 1), ({"kind": "drop_before"}, 2)],
)
async def test_a_lost_answer_leaves_exactly_one_post(
    world: World, fault: dict[str, Any], calls: int
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.fault(**fault)
    await world.work()
    publication = await publication_of(world, post)
    assert publication.state == Publication.STATE_UNKNOWN
    assert (await world.get(post)).state == Post.STATE_POSTING
    await world.pass_time(480, step=10)
    assert (await world.get(post)).state == Post.STATE_POSTED
    [remote] = await world.buffer.admin.posts()
    publication = await publication_of(world, post)
    assert publication.provider_post_id == remote["id"]
    assert publication.attempts == calls
    assert (await world.buffer.admin.calls())["received"] == calls


async def test_two_lost_calls_are_for_a_person_who_may_send_again(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.fault("drop_before", times=2)
    await world.pass_time(900, step=20)
    publication = await publication_of(world, post)
    assert publication.state == Publication.STATE_NEEDS_REVIEW
    assert publication.error.reason == "OUTCOME_UNKNOWN"
    await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    assert await publication_of(world, post) != publication
    assert "scheduler.reconcile" in await world.work()
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert len(await world.buffer.admin.posts()) == 1


async def test_a_person_who_sends_again_what_is_there_after_all_gets_it_adopted(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.fault("drop_before")
    await world.buffer.admin.fault("drop_after")
    while not await world.buffer.admin.posts():
        await world.pass_time(20, step=20)
    [remote] = await world.buffer.admin.posts()
    await world.buffer.admin.change_post(remote["id"], text="not to be recognized")
    await world.pass_time(400, step=20)
    assert (await publication_of(world, post)).state == Publication.STATE_NEEDS_REVIEW
    await world.buffer.admin.change_post(remote["id"], text=remote["text"])
    await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert (await publication_of(world, post)).provider_post_id == remote["id"]
    assert len(await world.buffer.admin.posts()) == 1


async def test_a_call_to_be_repeated_waits_while_its_channel_needs_attention(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.fault("drop_before")
    await world.buffer.admin.fault("errors", operation="posts", code="UNAUTHORIZED")
    await world.pass_time(420, step=20)
    publication = await publication_of(world, post)
    assert publication.state == Publication.STATE_RETRY_WAIT
    assert publication.error.reason == "CHANNEL_HELD"
    assert (await world.buffer.admin.calls())["received"] == 1
    await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    await world.pass_time(90)
    assert (await world.get(post)).state == Post.STATE_POSTED


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_that_dies_in_the_call_leaves_exactly_one_post(
    world: World, moment: str
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.work()
    await world.sql("UPDATE scheduler.publications SET next_attempt_time = due_time")
    disturbed = Disturbed(world)
    setattr(disturbed, moment, kill)
    other = await world.schedule(after=0, caption="Dies")
    with pytest.raises(Killed):
        await worker(world, disturbed)[PUBLISH](await id_of(world, other))
    assert (await publication_of(world, other)).state == Publication.STATE_SUBMITTING

    await world.pass_time(100, step=20)
    assert (await publication_of(world, other)).state == Publication.STATE_SUBMITTING
    await world.pass_time(40, step=20)
    states = {Publication.STATE_UNKNOWN, Publication.STATE_SCHEDULED}
    assert (await publication_of(world, other)).state in states
    await world.pass_time(480, step=20)
    for found in (post, other):
        assert (await world.get(found)).state == Post.STATE_POSTED
    texts = [remote["text"] for remote in await world.buffer.admin.posts()]
    assert sorted(texts) == ["Dies", "Light"]


async def id_of(world: World, post: Post) -> str:
    [publication] = (await world.get(post)).publications
    return publication.name.rsplit("/", 1)[1]


@pytest.mark.parametrize("waits", [140, 520])
async def test_an_answer_that_comes_when_its_worker_is_given_up_is_taken(
    world: World, waits: int
) -> None:
    """The machine sleeps within the call: when it wakes, the row has gone its way."""
    await world.connect()
    post = await world.schedule(after=0)
    disturbed = Disturbed(world)
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleep() -> None:
        asleep.set()
        await awake.wait()

    disturbed.after = sleep
    publishing = asyncio.create_task(worker(world, disturbed)[PUBLISH](await id_of(world, post)))
    await asyncio.wait_for(asleep.wait(), 60)
    await world.buffer.admin.fault("errors", operation="posts", code="FORBIDDEN", times=99)
    world.queue.waiting.clear()
    await world.pass_time(waits, step=20)
    assert (await publication_of(world, post)).state == Publication.STATE_UNKNOWN
    await world.buffer.admin.clear_faults()
    awake.set()
    await asyncio.wait_for(publishing, 60)
    [remote] = await world.buffer.admin.posts()
    publication = await publication_of(world, post)
    assert publication.state == Publication.STATE_SCHEDULED
    assert publication.provider_post_id == remote["id"]
    await world.pass_time(120, step=10)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert len(await world.buffer.admin.posts()) == 1


async def test_four_workers_and_doubled_messages_send_sixty_posts_once_each(world: World) -> None:
    await world.connect()
    wide = {"900": 10_000, "86400": 10_000, "2592000": 10_000}
    await world.buffer.admin.change_settings(quotas=wide)
    for number in range(60):
        await world.schedule(after=0, caption=f"number {number}")
    world.queue.waiting.clear()
    queues = [ListedQueue() for _ in range(4)]
    workers = [worker(world, queue=queue) for queue in queues]
    await asyncio.gather(*(tasks[TICK]() for tasks in workers))
    bundles = [ids for queue in queues for task, ids in queue.waiting if task == PUBLISH]
    announced = [id for bundle in bundles for id in bundle.split()]
    assert sorted(announced) == sorted(set(announced))
    assert len(announced) == 60

    async def run(tasks: Mapping[str, Task], ids: list[str]) -> None:
        for id in ids:
            await tasks[PUBLISH](id)

    # Every message arrives at two workers.
    shares = [announced[n::4] for n in range(4)]
    await asyncio.gather(
        *(run(workers[n], shares[n] + shares[(n + 1) % 4]) for n in range(4)),
    )
    texts = Counter(remote["text"] for remote in await world.buffer.admin.posts())
    assert texts == Counter(f"number {n}" for n in range(60))
    assert await world.buffer.admin.calls() == {"received": 60, "processed": 60}
    rows = await world.sql("SELECT DISTINCT state, attempts FROM scheduler.publications")
    assert [tuple(row) for row in rows] == [("scheduled", 1)]


async def test_the_intent_is_visible_before_the_provider_is_called(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    disturbed = Disturbed(world)
    seen = []

    async def look() -> None:
        seen.extend(
            await world.sql(
                "SELECT p.state, a.number, a.due_time, a.token, p.lease_token, a.fingerprint"
                " FROM scheduler.publications p JOIN scheduler.attempts a"
                " ON a.publication_id = p.id"
            )
        )

    disturbed.before = look
    await worker(world, disturbed)[PUBLISH](await id_of(world, post))
    [(state, number, due, token, fence, fingerprint)] = seen
    assert (state, number, token) == ("submitting", 1, fence)
    assert len(fingerprint) == 64
    [remote] = await world.buffer.admin.posts()
    assert remote["dueAt"] == due.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    [(outcome, answer)] = await world.sql("SELECT outcome, answer FROM scheduler.attempts")
    assert outcome == "accepted"
    assert answer["post"]["id"] == remote["id"]


async def test_a_message_that_comes_too_early_or_for_nothing_does_nothing(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=3600)
    await world.tasks[PUBLISH](await id_of(world, post))
    await world.tasks[PUBLISH]("00000000-0000-0000-0000-00000000dead")
    await world.tasks["scheduler.reconcile"](await id_of(world, post))
    await world.tasks["scheduler.confirm"]("no such batch")
    assert await world.buffer.admin.posts() == []
    assert (await publication_of(world, post)).state == Publication.STATE_READY


async def test_a_tick_whose_messages_are_lost_is_made_up_for(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.work(tick=False)
    await world.tasks[TICK]()
    assert [task for task, _ in world.queue.waiting] == [PUBLISH]
    world.queue.waiting.clear()
    assert await world.work() == []
    await world.advance(61)
    assert PUBLISH in await world.work()
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_posts_with_equal_texts_are_not_taken_for_each_other(world: World) -> None:
    await world.connect()
    posts = [await world.schedule(after=0, caption="Same words") for _ in range(2)]
    await world.buffer.admin.fault("drop_after", times=2)
    await world.work()
    await world.pass_time(180, step=10)
    ids = {(await publication_of(world, post)).provider_post_id for post in posts}
    assert ids == {remote["id"] for remote in await world.buffer.admin.posts()}
    assert len(ids) == 2


async def in_review(world: World) -> Post:
    """A post that is out, and that the provider did not list when it was asked for."""
    await world.connect()
    post = await world.schedule(after=0)
    disturbed = Disturbed(world)
    disturbed.misses = 2
    world.tasks = worker(world, disturbed)
    await world.pass_time(140, step=20)
    assert disturbed.misses == 0
    return post


async def test_one_read_that_misses_a_post_changes_nothing(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    disturbed = Disturbed(world)
    disturbed.misses = 1
    world.tasks = worker(world, disturbed)
    await world.pass_time(140, step=10)
    assert disturbed.misses == 0
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert (await world.buffer.admin.calls())["received"] == 1


@pytest.mark.parametrize(
    "changes", [{}, {"text": "mended there", "createdAt": "2020-01-01T00:00Z"}]
)
async def test_a_retry_adopts_the_post_that_is_there_after_all(
    world: World, changes: dict[str, str]
) -> None:
    post = await in_review(world)
    assert (await publication_of(world, post)).state == Publication.STATE_NEEDS_REVIEW
    [remote] = await world.buffer.admin.posts()
    await world.buffer.admin.change_post(remote["id"], **changes)
    await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    await world.pass_time(420, step=20)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert (await publication_of(world, post)).provider_post_id == remote["id"]
    assert len(await world.buffer.admin.posts()) == 1
    assert (await world.buffer.admin.calls())["received"] == 1


async def test_a_post_in_doubt_that_is_cancelled_keeps_its_photo_taken_there(world: World) -> None:
    post = await in_review(world)
    await world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    assert (await world.get(post)).state == Post.STATE_CANCELLED
    with pytest.raises(AlreadyExists, match="may be out") as caught:
        await world.schedule(post.photo, after=0)
    assert caught.value.reason == "PHOTO_ALREADY_SCHEDULED"
    assert caught.value.metadata["existing_post"] == post.name
    other = await world.connect(MASTODON_ID)
    await world.schedule(post.photo, after=0, channels=[other.name])
