"""``colonnade posts update``, ``publish-now``, ``approve`` and ``withdraw-approval``."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Approval, Post

from cli.connection import Suite
from cli.names import split_list
from cli.output import JsonOption, line, out, print_json, timestamp, when, word
from cli.posts import show_post
from cli.run import with_suite
from cli.times import moment

PostArgument = Annotated[str, typer.Argument(help="personas/…/posts/…")]


def update(
    post: PostArgument,
    at: Annotated[str, typer.Option(help="When it is due instead, as --at of schedule.")] = "",
    caption: Annotated[str | None, typer.Option(help="The text.")] = None,
    hashtag: Annotated[
        list[str] | None, typer.Option(help="Hashtags in place of those before; '' for none.")
    ] = None,
    alt_text: Annotated[str | None, typer.Option(help="What the picture shows.")] = None,
    repeat_reason: Annotated[
        str | None, typer.Option(help="Why its picture may be on its channels again.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Changes a post that no provider has yet; an approval of it is void then."""
    tags = None if hashtag is None else split_list(hashtag)
    given = {
        "caption": caption,
        "hashtags": tags,
        "alt_text": alt_text,
        "repeat_reason": repeat_reason,
    }
    texts = {name: value for name, value in given.items() if value is not None}
    changes = [*texts, *(["scheduled_time"] if at else [])]
    if not changes:
        options = "--at, --caption, --hashtag, --alt-text, --repeat-reason"
        raise typer.BadParameter(f"give what to change: {options}")

    async def work(suite: Suite) -> Post:
        changed = Post(name=post, **texts)  # type: ignore[arg-type]
        if at:
            changed.scheduled_time.CopyFrom(timestamp(moment(at, datetime.now(UTC))))
        request = scheduler.UpdatePostRequest(post=changed)
        request.update_mask.paths.extend(changes)
        return await suite.scheduler.UpdatePost(request)

    found = with_suite(work)
    print_json(found) if json else show_post(found)


def publish_now(post: PostArgument, json: JsonOption = False) -> None:
    """Has a scheduled post go out at once."""
    update(post, at="now", json=json)


def approve(
    post: PostArgument,
    etag: Annotated[
        str, typer.Option(help="Of the post that was looked at; without it, it is shown first.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Approves a post as it is now: picture, text, channels and time."""
    if not etag:
        seen = with_suite(
            lambda suite: suite.scheduler.GetPost(scheduler.GetPostRequest(name=post))
        )
        show_post(seen)
        out.print(seen.final_text, markup=False)
        if not yes and not typer.confirm("Approve it as it is?"):
            raise typer.Exit(1)
        etag = seen.etag
    request = scheduler.ApprovePostRequest(name=post, etag=etag)
    found = with_suite(lambda suite: suite.scheduler.ApprovePost(request)).post
    print_json(found) if json else _show(found)


def withdraw_approval(post: PostArgument, json: JsonOption = False) -> None:
    """Takes back that a post was approved."""
    request = scheduler.WithdrawPostApprovalRequest(name=post)
    found = with_suite(lambda suite: suite.scheduler.WithdrawPostApproval(request)).post
    print_json(found) if json else _show(found)


def _show(post: Post) -> None:
    state = word(Approval.State, post.approval.state)
    by = f" by {post.approval.approver}" if post.approval.approver else ""
    at = f", {when(post.approval.approve_time)}" if post.approval.HasField("approve_time") else ""
    line(f"[bold]{post.name}[/bold]: approval {state}{by}{at}")
