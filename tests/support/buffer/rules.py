"""What ``createPost`` and ``editPost`` check, in Buffer's order, and the next slot of a queue."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.buffer.clock import from_wire, later, to_wire
from tests.support.buffer.model import Channel, Post, State

Input = Mapping[str, Any]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Refusal(Exception):
    """A typed refusal: the name of the union's member, and its message."""

    def __init__(self, typename: str, message: str) -> None:
        super().__init__(message)
        self.typename = typename
        self.message = message

    def payload(self) -> dict[str, str]:
        return {"__typename": self.typename, "message": self.message}


def check_new_post(state: State, given: Input, now: datetime) -> Channel:
    """The channel of a post that may be created. Raises ``Refusal``."""
    channel = usable_channel(state, given["channelId"])
    check_content(channel, given)
    if given.get("saveToDraft") or given.get("needsApproval"):
        return channel
    check_time(given, now)
    check_cap(state)
    check_duplicate(state, channel, given.get("text") or "", now)
    return channel


def usable_channel(state: State, channel_id: str) -> Channel:
    channel = state.channels.get(channel_id)
    if channel is None:
        raise Refusal("NotFoundError", "Channel not found")
    if channel.isDisconnected:
        raise Refusal("UnauthorizedError", "This channel is disconnected. Please reconnect it.")
    if channel.isLocked:
        raise Refusal("UnauthorizedError", "This channel is locked on the current plan.")
    return channel


def check_content(channel: Channel, given: Input) -> None:
    if problems := list(_content_problems(channel, given)):
        raise Refusal("InvalidInputError", "Invalid post: " + ", ".join(problems))


def _content_problems(channel: Channel, given: Input) -> Iterator[str]:
    assets = given.get("assets") or []
    metadata = (given.get("metadata") or {}).get(_metadata_key(channel.service)) or {}
    if any(sum(value is not None for value in asset.values()) != 1 for asset in assets):
        yield "Each asset must be exactly one of image, video, document or link."
    if assets and metadata.get("linkAttachment"):
        yield "A link attachment cannot be combined with assets."
    if any((asset.get("video") or {}).get("thumbnailUrl") for asset in assets):
        yield "Custom video thumbnails are not supported."
    if not assets and not given.get("text"):
        yield "Posts require text or an attachment."
    yield from _service_problems(channel.service, assets, metadata)


def _service_problems(service: str, assets: list[Input], metadata: Input) -> Iterator[str]:
    if service == "instagram" and not any(a.get("image") or a.get("video") for a in assets):
        yield "Instagram posts require at least one image or video."
    if service in {"instagram", "facebook"} and not metadata.get("type"):
        yield f"{service.capitalize()} posts require a type (post, story, or reel)."
    if service == "pinterest" and not metadata.get("boardServiceId"):
        yield "Pinterest posts require a board."
    if service == "googlebusiness" and not metadata.get("type"):
        yield "Google Business posts require a type (whats_new, offer, or event)."


def _metadata_key(service: str) -> str:
    return "google" if service == "googlebusiness" else service


def check_time(given: Input, now: datetime) -> None:
    if given.get("mode") != "customScheduled":
        return
    if not given.get("dueAt"):
        raise Refusal("InvalidInputError", "Invalid post: A custom scheduled post requires dueAt.")
    if from_wire(given["dueAt"]) < now:
        raise Refusal("InvalidInputError", "Invalid post: The scheduled time is in the past.")


def check_cap(state: State) -> None:
    scheduled = sum(post.status == "scheduled" for post in state.posts.values())
    if scheduled >= state.settings.scheduledPosts:
        raise Refusal("LimitReachedError", "You have reached your limit of scheduled posts.")


def check_duplicate(state: State, channel: Channel, text: str, now: datetime) -> None:
    oldest = later(to_wire(now), -60 * state.settings.duplicateMinutes)
    for post in state.posts.values():
        if (post.channelId, post.text) == (channel.id, text) and post.createdAt > oldest:
            raise duplicate_refusal(post)


def duplicate_refusal(post: Post | None) -> Refusal:
    if post is None or post.status == "scheduled":
        message = "Whoops, it looks like you've already got this one scheduled."
    else:
        message = "Whoops, it looks like you posted that one recently."
    return Refusal("InvalidInputError", message)


def due_at(state: State, channel: Channel, given: Input, now: datetime) -> str | None:
    """The due time that a mode gives to a post; None for drafts and for an empty schedule."""
    if given.get("saveToDraft"):
        return None
    if given["mode"] == "customScheduled":
        return to_wire(from_wire(given["dueAt"]))
    if given["mode"] == "shareNow":
        return to_wire(now)
    taken = {post.dueAt for post in state.posts.values() if post.channelId == channel.id}
    return next((slot for slot in _slots(channel, now) if slot not in taken), None)


def _slots(channel: Channel, now: datetime) -> Iterator[str]:
    zone = ZoneInfo(channel.timezone)
    today = now.astimezone(zone).date()
    for date in (today + timedelta(days=days) for days in range(60)):
        for day in channel.postingSchedule:
            if day["paused"] or day["day"] != DAYS[date.weekday()]:
                continue
            for time in sorted(day["times"]):
                slot = datetime.fromisoformat(f"{date} {time}").replace(tzinfo=zone)
                if slot > now:
                    yield to_wire(slot)
