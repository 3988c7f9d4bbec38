"""A week of posts: planned, sent, and each sent once, although the worker dies on the way."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from colonnade.scheduler.v1 import planner_service_pb2 as planner
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.plan_pb2 import PlannedPost, PlanOptions
from colonnade.scheduler.v1.post_pb2 import Post, Publication

from cli.connection import Suite, connect
from cli.output import table, timestamp, when, word
from cli.planner import show_plan
from cli.posts import result_line
from demo.children import Ports, Running
from demo.show import Show
from demo.stand_in import StandIn
from libs.errors import Conflict, DeadlineExceeded, FailedPrecondition

DAYS = 7
# The worker dies during the third call, so that there are posts before and after it.
KILLED_AT = 3
# Longer than anybody waits: the answer to that call never comes.
NO_ANSWER = 600.0
PATIENCE = 300.0
_PLANS = 5
_S = Publication.State
_HANDED_OVER = (_S.STATE_SCHEDULED, _S.STATE_PUBLISHING, _S.STATE_POSTED, _S.STATE_FAILED)


@dataclass(frozen=True, slots=True)
class Entry:
    """A post of the week, and what the plan says of it."""

    post: str
    planned: PlannedPost

    @property
    def label(self) -> str:
        """When it was planned for, and its picture."""
        return f"{when(self.planned.scheduled_time)} {self.planned.file_name}"


async def planned(suite: Suite, parent: str, show: Show) -> list[Entry]:
    """The posts of a week, each with its reason; those of the last demo, if there was one."""
    if week := await _decided(suite, parent):
        show.there(f"a plan of {len(week)} posts")
        return week
    options = PlanOptions(days=DAYS)
    for _ in range(_PLANS):
        asked = planner.PreviewPlanRequest(parent=parent, options=options)
        plan = (await suite.planner.PreviewPlan(asked)).plan
        show_plan(plan)
        commit = planner.CommitPlanRequest(
            parent=parent, options=options, fingerprint=plan.fingerprint, compose=True
        )
        try:
            results = (await suite.planner.CommitPlan(commit)).results
        except Conflict:
            show.step("something changed since that was shown; planning anew")
            continue
        for result in results:
            if result.status.code:
                show.detail(result_line(result))
        break
    week = await _decided(suite, parent)
    show.done(f"{len(week)} posts scheduled, with texts and hashtags from templates")
    return week


async def _decided(suite: Suite, parent: str) -> list[Entry]:
    request = planner.ListPlanDecisionsRequest(parent=parent, page_size=200)
    decisions = (await suite.planner.ListPlanDecisions(request)).plan_decisions
    week = [Entry(decision.post, decision.planned_post) for decision in decisions]
    return sorted(week, key=lambda entry: entry.planned.scheduled_time.ToDatetime())


def publish(running: Running, ports: Ports, week: Sequence[Entry], show: Show) -> bool:
    """Sends the whole week now, and kills the worker between a call and its answer.

    Returns whether every post is live exactly once. What is out already stays as it is.
    """
    if not week:
        show.detail("there is no photo that could be posted")
        return False
    stand_in = ports.stand_in
    stand_in.answer_at_once()
    lost = asyncio.run(_until_a_call_has_no_answer(ports, week, show))
    if lost:
        running.kill_worker()
        show.done("kill -9 of the worker")
        stand_in.answer_at_once()
        asyncio.run(_tell_what_is_known(ports, lost, show))
        running.worker.start()
        show.done("the worker is started again; nobody tells it where it was")
    show.heading("Every post is live once")
    return asyncio.run(_all_out(ports, week, lost, show))


async def _until_a_call_has_no_answer(
    ports: Ports, week: Sequence[Entry], show: Show
) -> Entry | None:
    """The entry whose call the provider has carried out, while its worker waits for the answer.

    None if there is nothing to send any more.
    """
    async with connect(ports.target) as suite:
        fresh = [entry for entry in week if _is_fresh(await _get(suite, entry.post))]
        if not fresh:
            show.there("everything was sent before")
            return None
        show.detail("A demo cannot wait for a week: the posts go out now, one after the other.")
        *before, lost = fresh[:KILLED_AT]
        for entry in before:
            await _publish_now(suite, entry)
            await _once(suite, entry, _is_handed_over)
            show.done(f"{entry.label}: the provider has it")
        ports.stand_in.answer_late(NO_ANSWER)
        await _publish_now(suite, lost)
        await _once(suite, lost, lambda post: bool(ports.stand_in.posts(post.final_text)))
        show.done(f"{lost.label}: the provider has it, and has not answered yet")
        return lost


async def _tell_what_is_known(ports: Ports, lost: Entry, show: Show) -> None:
    async with connect(ports.target) as suite:
        post = await _get(suite, lost.post)
    there = len(ports.stand_in.posts(post.final_text))
    for publication in post.publications:
        state = word(Publication.State, publication.state)
        id = publication.provider_post_id or "unknown"
        show.detail(f"what the suite knows: {state}; the provider's id: {id}")
    show.detail(f"what the provider has: the post, {there} time(s)")


async def _all_out(ports: Ports, week: Sequence[Entry], lost: Entry | None, show: Show) -> bool:
    async with connect(ports.target) as suite:
        for entry in week:
            if _is_fresh(await _get(suite, entry.post)):
                await _publish_now(suite, entry)
        if lost:
            await _followed(suite, lost, show)
        posts = await _outcomes(suite, week, show)
        failed = [post for post in posts if post.state == Post.STATE_FAILED]
        for post in failed:
            # As when an earlier demo was killed while the provider fetched its picture.
            show.step(f"{post.publications[0].error.message}; trying once more")
            await suite.scheduler.RetryPost(scheduler.RetryPostRequest(name=post.name))
        if failed:
            posts = await _outcomes(suite, week, show)
    return _told(ports.stand_in, week, posts, lost, show)


async def _outcomes(suite: Suite, week: Sequence[Entry], show: Show) -> list[Post]:
    """The posts when nothing more happens to them."""
    posts: list[Post] = []
    with show.progress("publishing") as advance:
        for entry in week:
            advance(len(posts), len(week))
            posts.append(await _once(suite, entry, _is_over))
        advance(len(posts), len(week))
    return posts


async def _followed(suite: Suite, lost: Entry, show: Show) -> None:
    """Shows what becomes of the publication whose worker died."""
    seen = ""
    request = scheduler.WatchPostRequest(name=lost.post)
    async for event in suite.scheduler.WatchPost(request, timeout=PATIENCE):
        for publication in event.post.publications:
            told = word(Publication.State, publication.state)
            told += f" ({publication.state_reason})" if publication.state_reason else ""
            if told != seen:
                show.step(f"{lost.label}: {told}")
            seen = told
    post = await _get(suite, lost.post)
    if post.state == Post.STATE_POSTED and all(each.attempts == 1 for each in post.publications):
        show.done("that call was looked up at the provider, and found: not sent again")


def _told(
    stand_in: StandIn,
    week: Sequence[Entry],
    posts: Sequence[Post],
    lost: Entry | None,
    show: Show,
) -> bool:
    """The outcome as a table; whether it is as it should be."""
    rows: list[tuple[object, ...]] = []
    ok = bool(posts)
    ours = Counter(post.final_text for post in posts)
    all_live: dict[str, int] = {}
    all_calls = 0
    for entry, post in zip(week, posts, strict=True):
        there = stand_in.posts(post.final_text)
        live = [remote for remote in there if remote["status"] == "sent"]
        calls = sum(publication.attempts for publication in post.publications)
        ok = ok and post.state == Post.STATE_POSTED and len(live) == ours[post.final_text]
        all_live[post.final_text] = len(live)
        all_calls += calls
        where = [p.permalink or p.error.message or p.state_reason for p in post.publications]
        if entry == lost:
            where.append("(its worker was killed during the call)")
        told = "\n".join((entry.planned.file_name, entry.planned.reason, *where))
        rows.append((when(entry.planned.scheduled_time), told, calls, len(live)))
    columns = ("planned for", "photo, why, and where it is now", "#calls", "#live")
    table("Each post, how often the provider was asked, how often it is live", columns, rows)
    live_in_all = sum(all_live.values())
    show.done(f"{len(posts)} posts, {all_calls} calls, live {live_in_all} times in all")
    return ok


async def _get(suite: Suite, name: str) -> Post:
    return await suite.scheduler.GetPost(scheduler.GetPostRequest(name=name))


async def _publish_now(suite: Suite, entry: Entry) -> None:
    request = scheduler.UpdatePostRequest(
        post=Post(name=entry.post, scheduled_time=timestamp(datetime.now(UTC)))
    )
    request.update_mask.paths.append("scheduled_time")
    try:
        await suite.scheduler.UpdatePost(request)
    except FailedPrecondition as refused:
        # Its own time has come meanwhile.
        if refused.reason != "POST_SENT":
            raise


async def _once(suite: Suite, entry: Entry, is_so: Callable[[Post], bool]) -> Post:
    """The post when it is so. Raises DeadlineExceeded if that takes too long."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not is_so(post := await _get(suite, entry.post)):
        if asyncio.get_running_loop().time() > deadline:
            state = word(Post.State, post.state)
            raise DeadlineExceeded(f"{entry.label} is still {state}; the logs say why")
        await asyncio.sleep(0.2)
    return post


def _is_fresh(post: Post) -> bool:
    """Whether nothing was tried yet."""
    return post.state == Post.STATE_SCHEDULED and all(
        each.state == _S.STATE_READY and not each.attempts for each in post.publications
    )


def _is_handed_over(post: Post) -> bool:
    return all(each.state in _HANDED_OVER for each in post.publications)


def _is_over(post: Post) -> bool:
    return post.state in (Post.STATE_POSTED, Post.STATE_FAILED, Post.STATE_CANCELLED)
