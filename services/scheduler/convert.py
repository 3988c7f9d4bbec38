"""Between the messages of the contract and what the use cases take and give."""

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.scheduler.v1 import channel_pb2, post_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import ColonnadeError, InvalidArgument
from libs.rpc.filtering import Condition, Kind, parse_filter, parse_order
from libs.rpc.masks import merged
from libs.rpc.status import from_status, to_status
from services.scheduler.convert_results import reached_message
from services.scheduler.domain import channel, post, publication
from services.scheduler.domain.approval import is_approved
from services.scheduler.domain.names import CHANNEL, channel_key, persona_id
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import PostResult
from services.scheduler.domain.remote_check import Drift, RemoteCheck
from services.scheduler.ports import CatalogPhoto, UnusedPhotos
from services.scheduler.usecases.batch_create import Batch, BatchItem
from services.scheduler.usecases.change_channel import ChannelChange
from services.scheduler.usecases.change_post import PostChange
from services.scheduler.usecases.channels import NewChannel
from services.scheduler.usecases.create_post import NewPost
from services.scheduler.usecases.import_posts import PastPost
from services.scheduler.usecases.sync_posts import Synced

_FILTER: Final[dict[str, Kind]] = {
    "state": "text",
    "photo": "text",
    "pillar": "text",
    "campaign": "text",
    "suggestion": "text",
    "remote": "text",
    "scheduled_time": "time",
}
_STATES: Final[dict[str, Iterable[str]]] = {"state": post.PostState, "remote": Drift}
_PROVIDERS: Final = {
    channel_pb2.Channel.PROVIDER_BUFFER: channel.Provider.BUFFER,
    channel_pb2.Channel.PROVIDER_MASTODON: channel.Provider.MASTODON,
    channel_pb2.Channel.PROVIDER_BLUESKY: channel.Provider.BLUESKY,
    channel_pb2.Channel.PROVIDER_WEBHOOK: channel.Provider.WEBHOOK,
    channel_pb2.Channel.PROVIDER_POSTIZ: channel.Provider.POSTIZ,
    channel_pb2.Channel.PROVIDER_INSTAGRAM: channel.Provider.INSTAGRAM,
}


# What UpdatePost changes.
_CHANGEABLE: Final = frozenset(
    {"caption", "hashtags", "alt_text", "scheduled_time", "repeat_reason"}
)


def moment(stamp: Timestamp, field: str) -> datetime:
    """The time of a timestamp. Raises InvalidArgument on ``field`` if there is no such time."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument.of(field, "is not a time between the years 1 and 9999") from None


def moment_in(message: Message, field: str) -> datetime | None:
    """The time in a field of ``message``; None if it is not set. Raises InvalidArgument."""
    return moment(getattr(message, field), field) if message.HasField(field) else None


def _set(stamp: Timestamp, at: datetime | None) -> None:
    if at is not None:
        stamp.FromDatetime(at)


def new_channel(request: pb.CreateChannelRequest) -> NewChannel:
    """What CreateChannel asks for. Raises InvalidArgument for a provider that is not served."""
    asked = request.channel
    if asked.provider not in _PROVIDERS:
        served = ", ".join(channel_pb2.Channel.Provider.Name(p) for p in _PROVIDERS)
        raise InvalidArgument.of("channel.provider", f"must be one of those served now: {served}")
    return NewChannel(
        persona=persona_id(request.parent),
        provider=_PROVIDERS[asked.provider],
        account=asked.provider_channel_id,
        token=asked.access_token,
        id=request.channel_id,
        display_name=asked.display_name,
        endpoint=asked.endpoint,
    )


def channel_message(found: channel.Channel) -> channel_pb2.Channel:
    """A channel as callers see it: without its key."""
    message = channel_pb2.Channel(
        name=found.name,
        display_name=found.display_name,
        provider=next(pb for pb, provider in _PROVIDERS.items() if provider is found.provider),
        endpoint=found.endpoint,
        provider_channel_id=found.account,
        service=found.service,
        state=channel_pb2.Channel.State.Value(f"STATE_{found.state.upper()}"),
        state_reason=found.state_reason,
        approval_required=found.approval_required,
        etag=str(found.version),
    )
    if found.repeat_window_days is not None:
        message.repeat_window_days = found.repeat_window_days
    _set(message.token_expire_time, found.token_expires_at)
    _set(message.create_time, found.create_time)
    _set(message.update_time, found.update_time)
    return message


def channel_change(found: channel.Channel, request: pb.UpdateChannelRequest) -> ChannelChange:
    """What UpdateChannel makes of a channel. Raises InvalidArgument."""
    asked = merged(channel_message(found), request.channel, request.update_mask, "channel")
    if not asked.display_name:
        raise InvalidArgument.of("channel.display_name", "is required; what do people call it?")
    if "access_token" in request.update_mask.paths and not asked.access_token:
        raise InvalidArgument.of("channel.access_token", "is empty; a channel needs a key")
    return ChannelChange(
        asked.display_name,
        asked.approval_required,
        asked.repeat_window_days if asked.HasField("repeat_window_days") else None,
        asked.access_token,
    )


def new_post(request: pb.CreatePostRequest) -> NewPost:
    """What CreatePost asks for."""
    asked = request.post
    has_time = asked.HasField("scheduled_time")
    names = [channel_key(name, "post.channels") for name in asked.channels]
    return NewPost(
        persona=persona_id(request.parent),
        photo=asked.photo,
        scheduled_time=moment(asked.scheduled_time, "post.scheduled_time") if has_time else None,
        caption=asked.caption,
        hashtags=tuple(asked.hashtags),
        alt_text=asked.alt_text,
        channels=tuple(names) or None,
        repeat_reason=asked.repeat_reason,
    )


def post_message(found: post.Post) -> post_pb2.Post:
    """A post as callers see it."""
    message = post_pb2.Post(
        name=found.name,
        photo=found.photo,
        caption=found.caption,
        hashtags=found.hashtags,
        channels=[_channel_of(p) for p in found.publications if p.channel],
        alt_text=found.alt_text,
        state=post_pb2.Post.State.Value(f"STATE_{found.state.upper()}"),
        pillar=found.pillar,
        final_text=found.final_text,
        publications=[publication_message(p) for p in found.publications],
        strategy=found.strategy,
        slot_reason=found.slot_reason,
        suggestion=found.suggestion,
        campaign=found.campaign,
        state_reason=found.state_reason,
        external_id=found.external_id,
        repeat_reason=found.repeat_reason,
        repeats=found.repeats,
        etag=str(found.version),
    )
    _set(message.scheduled_time, found.scheduled_time)
    _set(message.posted_time, found.posted_time)
    _set(message.create_time, found.create_time)
    _set(message.update_time, found.update_time)
    message.approval.CopyFrom(_approval_message(found))
    return message


def _approval_message(found: post.Post) -> post_pb2.Approval:
    if found.approval is None:
        return post_pb2.Approval(state=post_pb2.Approval.STATE_NONE)
    holds = is_approved(found)
    message = post_pb2.Approval(
        state=post_pb2.Approval.STATE_GIVEN if holds else post_pb2.Approval.STATE_VOID,
        approver=found.approval.approver,
    )
    _set(message.approve_time, found.approval.time)
    return message


def post_change(found: post.Post, request: pb.UpdatePostRequest) -> PostChange:
    """What UpdatePost makes of a post. Raises InvalidArgument."""
    others = set(request.update_mask.paths) - _CHANGEABLE
    if others:
        raise InvalidArgument.of(
            "update_mask", f"{min(others)} cannot be changed, only {', '.join(sorted(_CHANGEABLE))}"
        )
    current = post_message(found)
    asked = merged(current, request.post, request.update_mask, "post")
    if sorted(asked.channels) != sorted(current.channels):
        raise InvalidArgument.of(
            "post.channels", "cannot be changed; cancel the post and schedule the photo anew"
        )
    return PostChange(
        caption=asked.caption,
        hashtags=tuple(asked.hashtags),
        alt_text=asked.alt_text,
        scheduled_time=moment_in(asked, "scheduled_time"),
        repeat_reason=asked.repeat_reason,
    )


def past_post(asked: post_pb2.PastPost) -> PastPost:
    """A post of ImportPosts."""
    return PastPost(
        external_id=asked.external_id,
        photo=asked.photo,
        posted_time=moment(asked.posted_time, "posts.posted_time"),
        caption=asked.caption,
        channel=channel_key(asked.channel, "posts.channel") if asked.channel else None,
        provider=asked.provider,
        provider_post_id=asked.provider_post_id,
        permalink=asked.permalink,
    )


def batch(request: pb.BatchCreatePostsRequest) -> Batch:
    """What BatchCreatePosts asks for."""
    has_spacing = request.HasField("spacing")
    names = [channel_key(name, "channels") for name in request.channels]
    return Batch(
        persona=persona_id(request.parent),
        items=[_batch_item(item, request) for item in request.posts],
        start=moment_in(request, "start_time"),
        spacing=request.spacing.ToTimedelta() if has_spacing else None,
        seed=request.seed,
        channels=tuple(names) or None,
        compose=request.compose,
    )


def _batch_item(asked: post_pb2.BatchPost, request: pb.BatchCreatePostsRequest) -> BatchItem:
    return BatchItem(
        photo=asked.photo,
        caption=asked.caption or request.caption,
        hashtags=tuple(asked.hashtags or request.hashtags),
        alt_text=asked.alt_text,
        repeat_reason=asked.repeat_reason or request.repeat_reason,
    )


class StoredResults:
    """See ``ports.ResultLog``."""

    def write(self, results: Sequence[PostResult]) -> str:
        """See ResultLog."""
        stored = [
            post_pb2.PostResult(photo=r.photo, post=post_pb2.Post(name=r.outcome.name))
            if isinstance(r.outcome, post.Post)
            else result_message(r)
            for r in results
        ]
        content = pb.BatchCreatePostsResponse(results=stored).SerializeToString()
        return base64.b64encode(content).decode()

    def read(self, text: str) -> Sequence[tuple[str, str | ColonnadeError]]:
        """See ResultLog."""
        stored = pb.BatchCreatePostsResponse.FromString(base64.b64decode(text))
        return [(r.photo, r.post.name or from_status(r.status)) for r in stored.results]


def unused_photos(request: pb.ListUnscheduledPhotosRequest) -> UnusedPhotos:
    """What ListUnscheduledPhotos asks for."""
    return UnusedPhotos(
        persona_id(request.parent), request.pillar, request.filter, request.order_by
    )


def photo_message(found: CatalogPhoto) -> Photo:
    """A photo as the catalog describes it."""
    return Photo.FromString(found.content)


def result_message(result: PostResult) -> post_pb2.PostResult:
    """What became of one post of a batch."""
    if isinstance(result.outcome, post.Post):
        return post_pb2.PostResult(photo=result.photo, post=post_message(result.outcome))
    return post_pb2.PostResult(photo=result.photo, status=to_status(result.outcome))


def publication_message(found: publication.Publication) -> post_pb2.Publication:
    """A publication as callers see it: without the token of its picture."""
    message = post_pb2.Publication(
        name=found.name,
        channel=_channel_of(found),
        state=post_pb2.Publication.State.Value(f"STATE_{found.state.upper()}"),
        state_reason=found.state_reason,
        provider_post_id=found.provider_post_id,
        provider_state=found.provider_state,
        permalink=found.permalink,
        attempts=found.attempts,
    )
    _set(message.next_attempt_time, found.next_attempt_at)
    _set(message.submit_time, found.submitted_at)
    _set(message.posted_time, found.posted_at)
    if found.reached is not None:
        message.results.CopyFrom(reached_message(found.reached))
    if found.problem is not None:
        message.error.reason = found.problem.reason
        message.error.message = found.problem.message
        message.error.retryable = found.problem.retryable
        message.error.support_uri = found.problem.support_uri
    if found.remote is not None and found.remote.checked_at is not None:
        message.remote.CopyFrom(_remote_message(found.remote))
    return message


def _remote_message(found: RemoteCheck) -> post_pb2.RemoteCheck:
    message = post_pb2.RemoteCheck(
        state=post_pb2.RemoteCheck.State.Value(f"STATE_{found.state.upper()}"), text=found.text
    )
    _set(message.check_time, found.checked_at)
    _set(message.change_time, found.changed_at)
    _set(message.next_check_time, found.next_at)
    return message


def synced_message(found: Synced) -> pb.SyncPostsResponse:
    """What SyncPosts found."""
    return pb.SyncPostsResponse(
        changed_publications=[publication_message(p) for p in found.changed],
        checked_count=found.checked,
        differing_count=found.differing,
        missing_count=found.missing,
        unread_channels=[
            pb.UnreadChannel(channel=u.channel, publication_count=u.count, reason=u.reason)
            for u in found.unread
        ],
        remaining_count=found.remaining,
    )


def _channel_of(found: publication.Publication) -> str:
    return CHANNEL.format(found.persona, found.channel) if found.channel else ""


def media_info(snapshot: Snapshot) -> pb.PublicationMediaInfo:
    """What there is to read."""
    return pb.PublicationMediaInfo(
        mime_type=snapshot.mime_type, size_bytes=snapshot.size_bytes, etag=snapshot.sha256
    )


def post_conditions(text: str) -> Sequence[Condition]:
    """The filter of ListPosts. Raises InvalidArgument on ``filter``."""
    return [_meant(condition) for condition in parse_filter(text, _FILTER)]


def _meant(condition: Condition) -> Condition:
    if condition.field not in _STATES:
        return condition
    names = {state.upper(): state for state in _STATES[condition.field]}
    if condition.value not in names:
        allowed = ", ".join(names)
        text = f"{condition.field} is one of {allowed}, not {condition.value!r}"
        raise InvalidArgument.of("filter", text)
    return Condition(condition.field, condition.op, names[str(condition.value)])


def is_descending(order_by: str) -> bool:
    """The order of ListPosts. Raises InvalidArgument on ``order_by``."""
    _, descending = parse_order(order_by, ["scheduled_time"], "scheduled_time desc")
    return descending
