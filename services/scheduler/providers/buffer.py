"""Publishing through Buffer: it keeps the post and publishes it at its time.

Buffer has no idempotency key and no webhooks. What a lost answer left behind is found by
channel, caption and due time (hence ``customScheduled``); what became of a post, by asking.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from libs.http import HttpClient
from services.scheduler.domain.counts import Counts
from services.scheduler.domain.publication import to_milliseconds
from services.scheduler.domain.reconciliation import CREATED_MARGIN, READ_BACK
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers import limits
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    Note,
    NotSent,
    Problem,
    PublishRequest,
    ReadFailed,
    RemoteChannel,
    RemotePost,
    RemoteState,
    Submitted,
    forget,
)
from services.scheduler.providers.buffer_answers import counts_of, refusal_of
from services.scheduler.providers.buffer_api import (
    CHANNELS,
    CREATE_POST,
    DELETE_POST,
    METRICS,
    ORGANIZATIONS,
    POST,
    POSTS,
    BufferApi,
)
from services.scheduler.providers.calls import expected_form, submit_failed
from services.scheduler.providers.texts import comparable, is_but_for_links

BUFFER_URL: Final = "https://api.buffer.com"
PAGE_SIZE: Final = 50
# What is found is known by its text, its time and its picture, so that older posts do no harm.
CLOCKS_DIFFER: Final = timedelta(hours=1)
# Posts go out up to so long after they were due.
SENT_WITHIN: Final = timedelta(hours=2)
_CLOSE: Final = timedelta(days=1)
SHORTENERS: Final = frozenset({"buff.ly", "bit.ly"})

# Fields that Buffer demands with every post of a network.
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "instagram": {"instagram": {"type": "post", "shouldShareToFeed": True}},
    "facebook": {"facebook": {"type": "post"}},
    "googlebusiness": {"google": {"type": "whats_new", "detailsWhatsNew": {"button": "none"}}},
}
# Networks that take a photo with a text and nothing that we do not know.
SERVICES: Final = frozenset(
    {*_METADATA, "bluesky", "linkedin", "mastodon", "threads", "tiktok", "twitter"}
)


class BufferPublisher:
    """The ``Publisher`` port on Buffer's GraphQL API."""

    name = "buffer"
    doubt = READ_BACK

    def __init__(
        self,
        http: HttpClient,
        *,
        url: str = BUFFER_URL,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = BufferApi(http, url, now)

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What the network would refuse. What ails the channel shows when the post is sent."""
        if channel.service not in SERVICES:
            message = f"posts to {channel.service} through Buffer are not supported"
            return [Problem("SERVICE_UNSUPPORTED", "post.channel", message)]
        return limits.check(channel.service, request)

    async def submit(
        self, channel: Channel, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        """``createPost``, once. Raises ``NotSent`` or ``OutcomeUnknown``."""
        data = await self._api.mutate(
            channel.credentials, CREATE_POST, {"input": create_post_input(channel, request)}
        )
        payload = _object(data.get("createPost"))
        post_id = _object(payload.get("post")).get("id")
        if isinstance(post_id, str) and post_id:
            return Submitted(post_id, payload)
        raise submit_failed(refusal_of(payload), channel.credentials)

    async def find(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        """The channel's posts since ``since`` that equal ``request``, oldest first.

        Buffer's clock may be an hour behind ours. Raises ``ReadFailed``.
        """
        made = {"channelIds": [channel.id], "createdAt": {"start": to_wire(since - CLOCKS_DIFFER)}}
        return [post async for post in self._posts(channel, made) if matches(post, request)]

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        """How the posts of ``channel``'s organization stand; see the port. Raises ``ReadFailed``.

        One query finds all that still have the due time we know, further ones the rest.
        """
        if not posts:
            return []
        window = {
            "start": to_wire(min(posts.values())),
            "end": to_wire(max(posts.values()) + timedelta(milliseconds=1)),
        }
        found = {
            post.id: post
            async for post in self._posts(channel, {"dueAt": window})
            if post.id in posts
        }
        for post_id in posts.keys() - found.keys():
            if post := await self._post(channel, post_id):
                found[post_id] = post
        return list(found.values())

    def reads(self, post: RemotePost, text: str) -> bool:
        """Whether a post says ``text``; Buffer may shorten its links."""
        return is_but_for_links(post.text, text, SHORTENERS)

    async def measure(self, channel: Channel, posts: Mapping[str, datetime]) -> dict[str, Counts]:
        """What Buffer tells of what the posts reached; it asks the networks once a day.

        Raises ``ReadFailed``.
        """
        found = {}
        for start, end in _stretches(list(posts.values())):
            due = {"start": to_wire(start - SENT_WITHIN), "end": to_wire(end + CREATED_MARGIN)}
            sent = {"status": ["sent"], "dueAt": due}
            async for node in self._nodes(channel, METRICS, sent):
                with expected_form("Buffer"):
                    id, counts = node["id"], counts_of(node)
                if id in posts and counts is not None:
                    found[id] = counts
        return found

    async def withdraw(self, channel: Channel, provider_post_id: str) -> None:
        """``deletePost``; one that is gone already passes. Raises as the port says."""
        variables = {"input": {"id": provider_post_id}}
        try:
            data = await self._api.mutate(channel.credentials, DELETE_POST, variables)
        except NotSent as error:
            if error.kind is FailureKind.PERMANENT and _is_not_found(error.message):
                return
            raise
        payload = _object(data.get("deletePost"))
        if payload.get("id") or _is_not_found(str(payload.get("message", ""))):
            return
        raise submit_failed(refusal_of(payload), channel.credentials)

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        """The channels of all organizations of the account. Raises ``ReadFailed``."""
        found = []
        with expected_form("Buffer"):
            account = (await self._api.query(credentials, ORGANIZATIONS, {}))["account"]
            for organization in account["organizations"]:
                variables = {"input": {"organizationId": organization["id"]}}
                data = await self._api.query(credentials, CHANNELS, variables)
                found += [_remote_channel(channel) for channel in data["channels"]]
        return found

    def may_poll(self, credentials: Credentials) -> bool:
        """Whether a fifth of the day's requests is left, which is kept for publishing."""
        return self._api.has_reserve(credentials)

    async def _posts(
        self, channel: Channel, post_filter: Mapping[str, Any]
    ) -> AsyncIterator[RemotePost]:
        async for node in self._nodes(channel, POSTS, post_filter):
            with expected_form("Buffer"):
                post = _remote_post(node)
            yield post

    async def _nodes(
        self, channel: Channel, document: str, post_filter: Mapping[str, Any]
    ) -> AsyncIterator[Mapping[str, Any]]:
        variables: dict[str, Any] = {
            "first": PAGE_SIZE,
            "input": {
                "organizationId": channel.organization_id,
                "filter": post_filter,
                "sort": [{"field": "createdAt", "direction": "asc"}],
            },
        }
        while True:
            data = await self._api.query(channel.credentials, document, variables)
            with expected_form("Buffer"):
                nodes = [edge["node"] for edge in data["posts"]["edges"] or ()]
                page_info = data["posts"]["pageInfo"]
                has_more, variables["after"] = page_info["hasNextPage"], page_info["endCursor"]
            for node in nodes:
                yield node
            if not has_more:
                return

    async def _post(self, channel: Channel, post_id: str) -> RemotePost | None:
        try:
            data = await self._api.query(channel.credentials, POST, {"input": {"id": post_id}})
        except ReadFailed as error:
            if error.kind is FailureKind.PERMANENT and _is_not_found(error.message):
                return None
            raise
        with expected_form("Buffer"):
            return _remote_post(data["post"])


def _stretches(times: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """The first and last of those that lie close together: one query each, as all between comes."""
    stretches: list[tuple[datetime, datetime]] = []
    for time in sorted(times):
        if stretches and time - stretches[-1][1] <= _CLOSE:
            stretches[-1] = (stretches[-1][0], time)
        else:
            stretches.append((time, time))
    return stretches


def create_post_input(channel: Channel, request: PublishRequest) -> dict[str, Any]:
    """The ``CreatePostInput`` for ``request``."""
    wire: dict[str, Any] = {
        "channelId": channel.id,
        "schedulingType": "automatic",
        "mode": "customScheduled",
        "dueAt": to_wire(request.due_at),
        "text": request.text,
        "assets": [
            {"image": {"url": image.url, "metadata": {"altText": image.alt_text}}}
            for image in request.images
        ],
    }
    if metadata := _METADATA.get(channel.service):
        wire["metadata"] = metadata
    return wire


def matches(post: RemotePost, request: PublishRequest) -> bool:
    """Whether ``post`` is what ``request`` asked for: caption, due time, and picture if echoed.

    Buffer may copy pictures to storage of its own; only an address on our host can contradict, by
    its token: the rest of it is another one with another secret, or a picture made anew.
    """
    if comparable(post.text) != comparable(request.text) or post.due_at is None:
        return False
    dues = {to_milliseconds(due) for due in (request.due_at, *request.earlier_due_at)}
    # Whether Buffer keeps milliseconds is not documented.
    dues |= {due.replace(microsecond=0) for due in dues}
    hosts = {urlsplit(image.url).netloc for image in request.images}
    echoed = [url for url in post.media_urls if urlsplit(url).netloc in hosts]
    is_ours = all(any(image.token in url for image in request.images) for url in echoed)
    return to_milliseconds(post.due_at) in dues and is_ours


def to_wire(at: datetime) -> str:
    """``2026-12-01T15:00:00.000Z``."""
    return to_milliseconds(at).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _is_not_found(message: str) -> bool:
    return "not found" in message.lower()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _remote_post(node: Mapping[str, Any]) -> RemotePost:
    error = node.get("error") or {}
    return RemotePost(
        id=node["id"],
        channel_id=node["channelId"],
        state=RemoteState(node["status"]),
        text=node["text"],
        created_at=datetime.fromisoformat(node["createdAt"]),
        due_at=_time(node["dueAt"]),
        sent_at=_time(node["sentAt"]),
        external_link=node["externalLink"],
        error_message=error.get("message"),
        support_url=error.get("supportUrl"),
        media_urls=tuple(asset["source"] for asset in node["assets"]),
    )


def _remote_channel(channel: Mapping[str, Any]) -> RemoteChannel:
    return RemoteChannel(
        id=channel["id"],
        organization_id=channel["organizationId"],
        service=channel["service"],
        name=channel["name"],
        display_name=channel["displayName"] or channel["name"],
        timezone=channel["timezone"],
        is_disconnected=channel["isDisconnected"],
        is_locked=channel["isLocked"],
        is_queue_paused=channel["isQueuePaused"],
    )
