"""``colonnade posts``."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import (
    BatchPost,
    Post,
    PostResult,
    Publication,
    RemoteCheck,
)
from colonnade.scheduler.v1.results_pb2 import PublicationResults

from cli.connection import Suite
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, last_part, line, out, print_json, table, timestamp, when, word
from cli.run import FAILED, with_suite
from cli.times import moment, span
from libs.errors import InvalidArgument
from libs.rpc.status import from_status

app = typer.Typer(help="Posts and their publication.", no_args_is_help=True)

MOST_AT_ONCE = 200
SLOT = "slot"
_COLLECTED = "collect_time"
_DRIFTED = (RemoteCheck.STATE_EDITED, RemoteCheck.STATE_REMOVED)
RepeatOption = Annotated[
    str, typer.Option(help="Why a picture that is out already, or a copy of it, goes out again.")
]


class Order(StrEnum):
    """Which photos come first."""

    OLDEST = "oldest"
    NEWEST = "newest"
    QUALITY = "quality"


_ORDERS = {
    Order.OLDEST: "create_time",
    Order.NEWEST: "create_time desc",
    Order.QUALITY: "quality desc",
}


@app.command()
def schedule(
    photo: Annotated[str, typer.Argument(help="personas/…/photos/…")],
    at: Annotated[
        str,
        typer.Option(
            help="now, slot (the next free one of the cadence), +90m, +2h, +3d, "
            "2026-12-01T15:00+01:00, 2026-12-01T15:00[Europe/Lisbon]."
        ),
    ],
    caption: Annotated[str, typer.Option(help="The text.")] = "",
    hashtag: Annotated[list[str] | None, typer.Option(help="Hashtags.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Channels; all by default.")] = None,
    repeat_reason: RepeatOption = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is out.")] = False,
    json: JsonOption = False,
) -> None:
    """Schedules a photo, once."""
    parent = "/".join(photo.split("/")[:2])

    async def work(suite: Suite) -> Post:
        post = Post(
            photo=photo,
            caption=caption,
            hashtags=split_list(hashtag or []),
            channels=[below(parent, "channels", c) for c in split_list(channel or [])],
            repeat_reason=repeat_reason,
        )
        made = await _created(suite, parent, post, at)
        return await watch_post(suite, made) if wait else made

    made = with_suite(work)
    print_json(made) if json else show_post(made)
    if made.state != Post.STATE_POSTED and (wait or made.state == Post.STATE_FAILED):
        raise typer.Exit(FAILED)


async def _created(suite: Suite, parent: str, post: Post, at: str) -> Post:
    """The post, made for a time, or for the next free slot of the persona's cadence."""
    if at != SLOT:
        post.scheduled_time.CopyFrom(timestamp(moment(at, datetime.now(UTC))))
        request = scheduler.CreatePostRequest(parent=parent, post=post)
        return await suite.scheduler.CreatePost(request)
    batch = scheduler.BatchCreatePostsRequest(
        parent=parent,
        posts=[BatchPost(photo=post.photo)],
        caption=post.caption,
        hashtags=post.hashtags,
        channels=post.channels,
        repeat_reason=post.repeat_reason,
    )
    [result] = (await suite.scheduler.BatchCreatePosts(batch)).results
    if result.status.code:
        raise from_status(result.status)
    return result.post


@app.command()
def batch(
    persona: str,
    photos: Annotated[list[str] | None, typer.Argument(help="Photos, in their order.")] = None,
    count: Annotated[
        int,
        typer.Option("--next", help="Or so many photos that no post has yet.", show_default=False),
    ] = 0,
    pillar: Annotated[str, typer.Option(help="With --next: only of this pillar.")] = "",
    order: Annotated[Order, typer.Option(help="With --next: which first.")] = Order.OLDEST,
    start: Annotated[str, typer.Option(help="The first moment, as --at of schedule.")] = "now",
    every: Annotated[str, typer.Option(help="90m, 6h, 2d apart, not in the cadence's slots.")] = "",
    seed: Annotated[int, typer.Option(help="Draws the minutes within the slots.")] = 0,
    caption: Annotated[str, typer.Option(help="The text of all.")] = "",
    hashtag: Annotated[list[str] | None, typer.Option(help="Hashtags of all.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Channels; all by default.")] = None,
    repeat_reason: RepeatOption = "",
    compose: Annotated[
        bool,
        typer.Option("--compose", help="Write captions and hashtags for posts that have none."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Schedules many photos, each in a free slot of the persona's cadence; a line for each."""
    parent = persona_name(persona)

    async def work(suite: Suite) -> list[PostResult]:
        names = [below(parent, "photos", photo) for photo in photos or []]
        if count:
            found = await some_unscheduled(suite, parent, pillar, order, count)
            names += [photo.name for photo in found]
        if not names:
            raise InvalidArgument.of("photos", "name some, or ask for --next so many")
        template = scheduler.BatchCreatePostsRequest(
            parent=parent,
            seed=seed,
            caption=caption,
            hashtags=split_list(hashtag or []),
            channels=[below(parent, "channels", c) for c in split_list(channel or [])],
            repeat_reason=repeat_reason,
            compose=compose,
        )
        if start != "now":
            template.start_time.CopyFrom(timestamp(moment(start, datetime.now(UTC), "start")))
        if every:
            template.spacing.FromTimedelta(span(every))
        return await in_batches(suite, template, names)

    results = with_suite(work)
    if json:
        print_json(results)
    else:
        for result in results:
            out.print(result_line(result), markup=False, soft_wrap=True)
    if any(result.status.code for result in results):
        raise typer.Exit(FAILED)


async def in_batches(
    suite: Suite, template: scheduler.BatchCreatePostsRequest, photos: list[str]
) -> list[PostResult]:
    """The results for all photos, 200 a request; with a spacing each goes on where one ended."""
    results: list[PostResult] = []
    for first in range(0, len(photos), MOST_AT_ONCE):
        part = photos[first : first + MOST_AT_ONCE]
        request = scheduler.BatchCreatePostsRequest(posts=[BatchPost(photo=name) for name in part])
        request.MergeFrom(template)
        made = (await suite.scheduler.BatchCreatePosts(request)).results
        results += made
        times = [r.post.scheduled_time for r in made if r.HasField("post")]
        if template.HasField("spacing") and times:
            following = times[-1].ToDatetime(UTC) + template.spacing.ToTimedelta()
            template.start_time.FromDatetime(following)
    return results


def result_line(result: PostResult) -> str:
    """What became of one photo of a batch."""
    if result.status.code:
        return f"{last_part(result.photo)} not scheduled: {result.status.message}"
    return f"{last_part(result.photo)} {when(result.post.scheduled_time)}"


@app.command()
def unscheduled(
    persona: str,
    pillar: Annotated[str, typer.Option(help="Only of this pillar.")] = "",
    order: Annotated[Order, typer.Option(help="Which first.")] = Order.NEWEST,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists the photos that no post has."""
    parent = persona_name(persona)
    photos = with_suite(lambda suite: some_unscheduled(suite, parent, pillar, order, limit))
    if json:
        return print_json(photos)
    table(
        f"Unscheduled photos of {parent}",
        ("photo", "pillar"),
        [(f"{p.file_name}\n{last_part(p.name)}", last_part(p.pillar)) for p in photos],
    )
    return None


async def some_unscheduled(
    suite: Suite, parent: str, pillar: str, order: Order, limit: int
) -> list[Photo]:
    """Up to ``limit`` photos that no post has, page by page."""
    found: list[Photo] = []
    token = ""
    while len(found) < limit:
        page = await suite.scheduler.ListUnscheduledPhotos(
            scheduler.ListUnscheduledPhotosRequest(
                parent=parent,
                pillar=below(parent, "pillars", pillar) if pillar else "",
                page_size=min(200, limit - len(found)),
                page_token=token,
                order_by=_ORDERS[order],
            )
        )
        found.extend(page.photos)
        token = page.next_page_token
        if not token:
            break
    return found


async def watch_post(suite: Suite, post: Post) -> Post:
    """The post once it is posted, failed or cancelled."""
    request = scheduler.WatchPostRequest(name=post.name)
    async for event in suite.scheduler.WatchPost(request):
        post = event.post
    return post


def show_post(post: Post) -> None:
    """A post and its publications."""
    state = word(Post.State, post.state)
    line(f"[bold]{post.name}[/bold]: {state}, due {when(post.scheduled_time)}")
    if post.state_reason:
        out.print(f"  {post.state_reason}", markup=False)
    if post.repeats:
        out.print(f"  repeats {post.repeats}: {post.repeat_reason}", markup=False)
    for publication in post.publications:
        where = last_part(publication.channel)
        status = word(Publication.State, publication.state)
        detail = publication.permalink or publication.error.message or publication.state_reason
        out.print(f"  {where}: {status} {detail}", markup=False)
        if publication.remote.state in _DRIFTED:
            since = when(publication.remote.change_time)
            told = word(RemoteCheck.State, publication.remote.state)
            out.print(f"    {told} there, seen {since} {publication.remote.text}", markup=False)
        if publication.HasField("results"):
            out.print(f"    {reached(publication.results)}", markup=False)


def reached(results: PublicationResults) -> str:
    """What a publication reached, the numbers that its provider tells."""
    told = [
        f"{value} {field.name}" for field, value in results.ListFields() if field.name != _COLLECTED
    ]
    return f"{', '.join(told)}, on {when(results.collect_time)}"


@app.command("list")
def list_posts(
    persona: Annotated[str, typer.Argument(help="A persona, or - for all.")],
    filter: Annotated[str, typer.Option(help='Such as pillar = "personas/…/pillars/…".')] = "",
    state: Annotated[str, typer.Option(help="Such as failed or awaiting-image.")] = "",
    drifted: Annotated[
        bool, typer.Option("--drifted", help="Edited or removed at the provider since.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists posts, latest first."""
    conditions = [filter] if filter else []
    if state:
        conditions.append(f'state = "{state.upper().replace("-", "_")}"')
    if drifted:
        conditions.append('remote != "UNCHANGED"')
    wanted = " AND ".join(conditions)
    posts = with_suite(lambda suite: some_posts(suite, persona_name(persona), wanted, limit))
    print_json(posts) if json else show_posts(posts)


def show_posts(posts: list[Post]) -> None:
    """The posts as a table."""
    table(
        "Posts",
        ("post", "due", "where"),
        [
            (
                f"{' '.join(p.caption.split())[:36] or '-'}\n{last_part(p.name)}",
                f"{when(p.scheduled_time)}\n{last_part(p.pillar)}",
                f"{word(Post.State, p.state)}\n"
                + "\n".join(
                    f"{last_part(x.channel)}: {word(Publication.State, x.state)}"
                    for x in p.publications
                ),
            )
            for p in posts
        ],
    )


async def some_posts(suite: Suite, parent: str, filter: str, limit: int) -> list[Post]:
    """Up to ``limit`` posts, page by page."""
    found: list[Post] = []
    token = ""
    while len(found) < limit:
        request = scheduler.ListPostsRequest(
            parent=parent, page_size=min(200, limit - len(found)), page_token=token, filter=filter
        )
        page = await suite.scheduler.ListPosts(request)
        found.extend(page.posts)
        token = page.next_page_token
        if not token:
            break
    return found


@app.command()
def show(post: str, json: JsonOption = False) -> None:
    """Shows a post, by its name personas/…/posts/…"""
    found = with_suite(lambda suite: suite.scheduler.GetPost(scheduler.GetPostRequest(name=post)))
    if json:
        return print_json(found)
    show_post(found)
    out.print(found.final_text, markup=False)
    return None


@app.command()
def cancel(post: str, json: JsonOption = False) -> None:
    """Calls off a post that is not at a provider yet."""
    request = scheduler.CancelPostRequest(name=post)
    found = with_suite(lambda suite: suite.scheduler.CancelPost(request)).post
    print_json(found) if json else show_post(found)


@app.command()
def retry(
    post: str,
    at: Annotated[str, typer.Option(help="When, as --at of schedule.")] = "now",
    json: JsonOption = False,
) -> None:
    """Tries the failed publications of a post again; what is in doubt is looked up first."""
    request = scheduler.RetryPostRequest(name=post)
    if at != "now":
        request.scheduled_time.CopyFrom(timestamp(moment(at, datetime.now(UTC))))
    found = with_suite(lambda suite: suite.scheduler.RetryPost(request)).post
    print_json(found) if json else show_post(found)


@app.command("set-time")
def set_time(
    post: str,
    at: Annotated[str, typer.Option(help="As --at of schedule.")],
    json: JsonOption = False,
) -> None:
    """Gives a time to a post that waits for one, or for its photo."""
    request = scheduler.SchedulePostRequest(
        name=post, scheduled_time=timestamp(moment(at, datetime.now(UTC)))
    )
    found = with_suite(lambda suite: suite.scheduler.SchedulePost(request)).post
    print_json(found) if json else show_post(found)


@app.command()
def watch(post: str, json: JsonOption = False) -> None:
    """Waits until a post is out; exit code 1 if it failed or was called off."""

    async def work(suite: Suite) -> Post:
        found = await suite.scheduler.GetPost(scheduler.GetPostRequest(name=post))
        return await watch_post(suite, found)

    found = with_suite(work)
    print_json(found) if json else show_post(found)
    if found.state != Post.STATE_POSTED:
        raise typer.Exit(FAILED)
