"""Publishing through a Postiz server: it keeps the post and publishes it at its time.

Postiz has no idempotency key, so a post is made in two steps: as a draft, whose id is noted before
anything else; then the draft is scheduled by its id. A draft that nobody schedules shows nowhere.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from libs.http import HttpClient
from services.scheduler.domain.publication import to_milliseconds
from services.scheduler.domain.reconciliation import READ_BACK
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers import limits
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    Image,
    Note,
    NotSent,
    Problem,
    PublishRequest,
    RemoteChannel,
    RemotePost,
    RemoteState,
    Submitted,
    forget,
)
from services.scheduler.providers.bodies import upload
from services.scheduler.providers.calls import (
    Call,
    Calls,
    Failure,
    expected_form,
    failure_of_status,
    json_object,
    preparing,
)
from services.scheduler.providers.pictures import Pictures
from services.scheduler.providers.texts import letters, plain

POSTIZ_URL: Final = "https://api.postiz.com/public/v1"
MAX_UPLOAD: Final = 10 * 1024 * 1024
_POSTS: Final = "posts"  # the server limits only how many are made in an hour

# The networks that take a photo with a text, by Postiz's names, and what else they demand.
_SETTINGS: Final[dict[str, dict[str, str]]] = {
    "bluesky": {},
    "instagram": {"post_type": "post"},
    "instagram-standalone": {"post_type": "post"},
    "mastodon": {},
    "threads": {},
}
_STATES: Final = {
    "DRAFT": RemoteState.DRAFT,
    "QUEUE": RemoteState.SCHEDULED,
    "PUBLISHED": RemoteState.SENT,
    "ERROR": RemoteState.ERROR,
}
# People may give a post another time on Postiz's own pages.
_NEAR: Final = timedelta(days=1)
_FAR: Final = timedelta(days=400)


class PostizPublisher:
    """The ``Publisher`` port on Postiz's public API at ``url``."""

    name = "postiz"
    doubt = READ_BACK

    def __init__(
        self,
        http: HttpClient,
        pictures: Pictures,
        *,
        url: str = POSTIZ_URL,
        now: Callable[[], datetime],
    ) -> None:
        self._calls = Calls(http, self.name, failure_of, now)
        self._pictures = pictures
        self._url = url
        self._now = now

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What the network behind Postiz would refuse."""
        if channel.service not in _SETTINGS:
            message = f"posts to {channel.service} through Postiz are not supported"
            return [Problem("SERVICE_UNSUPPORTED", "post.channel", message)]
        told = {**channel.limits, "max_bytes": MAX_UPLOAD}
        return limits.check(_network(channel.service), request, told)

    async def submit(
        self, channel: Channel, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        """Makes a draft, then schedules it, once. Raises as the port says."""
        made = await self._made_before(channel, request)
        if made is not None and made.state is not RemoteState.DRAFT:
            return Submitted(made.id, {"postId": made.id})
        # Where one is to be found, it is scheduled only while it is a draft: what is published
        # already would be published again.
        draft = made.id if made else await self._draft(channel, request, note)
        path = f"/posts/{draft}/status"
        call = self._call(channel.credentials, "PUT", path, json={"status": "schedule"})
        answer = json_object(await self._calls.write(channel.credentials, call))
        return Submitted(draft, {"postId": draft, "state": answer.get("state")})

    async def _made_before(self, channel: Channel, request: PublishRequest) -> RemotePost | None:
        """What an earlier attempt made, if it can be used."""
        if not request.handles:
            return None
        with preparing():
            found = await self._own(channel, request)
        for post in found:
            if post.state not in (RemoteState.DRAFT, RemoteState.ERROR):
                return post
        due_at = to_milliseconds(request.due_at)
        drafts = [post for post in found if post.state is RemoteState.DRAFT]
        return next((post for post in drafts if post.due_at == due_at), None)

    async def _draft(self, channel: Channel, request: PublishRequest, note: Note) -> str:
        images = [await self._upload(channel, image) for image in request.images]
        value = {"content": request.text, "image": images}
        post = {
            "integration": {"id": channel.id},
            "value": [value],
            "settings": {"__type": channel.service, **_SETTINGS[channel.service]},
        }
        body = {
            "type": "draft",
            "date": _wire(request.due_at),
            "shortLink": False,
            "tags": [],
            "posts": [post],
        }
        call = self._call(channel.credentials, "POST", "/posts", json=body, budget=_POSTS)
        response = await self._calls.prepare(channel.credentials, call)
        try:
            draft = str(response.json()[0]["postId"])
        except (ValueError, LookupError, TypeError):
            text = "Postiz answered success, but not which draft it made"
            raise NotSent(FailureKind.NOT_SENT, text) from None
        await note(draft)
        return draft

    async def _upload(self, channel: Channel, image: Image) -> dict[str, str]:
        known = limits.LIMITS.get(_network(channel.service))
        max_bytes = min(MAX_UPLOAD, known.max_bytes if known else MAX_UPLOAD)
        picture = await self._pictures.within(image, max_bytes)
        content_type, body = upload([], picture.data, "photo.jpg")
        call = self._call(
            channel.credentials,
            "POST",
            "/upload",
            headers={"Content-Type": content_type},
            content=body,
        )
        answer = json_object(await self._calls.prepare(channel.credentials, call))
        if not {"id", "path"} <= answer.keys():
            raise NotSent(FailureKind.NOT_SENT, "Postiz took the picture without naming it")
        return {"id": answer["id"], "path": answer["path"], "alt": image.alt_text}

    async def find(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        """Those that our attempts made and that are drafts no more. Raises ``ReadFailed``."""
        found = await self._own(channel, request)
        return [post for post in found if post.state is not RemoteState.DRAFT]

    async def _own(self, channel: Channel, request: PublishRequest) -> list[RemotePost]:
        first, last = request.first_due_at, request.due_at
        return await self._listed(channel.credentials, request.handles, first, last)

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        """Those of the posts that are there. Raises ``ReadFailed``."""
        if not posts:
            return []
        first, last = min(posts.values()), max(posts.values())
        return await self._listed(channel.credentials, posts, first, last)

    def reads(self, post: RemotePost, text: str) -> bool:
        """Whether a post says ``text``; Postiz's own editor keeps texts as HTML."""
        return letters(post.text) == letters(text) or letters(plain(post.text)) == letters(text)

    async def withdraw(self, channel: Channel, provider_post_id: str) -> None:
        """Deletes the post, if it is there; raises as the port says."""
        with preparing():
            # Postiz answers 500 for a post that is gone.
            now = self._now()
            listed = await self._posts(channel.credentials, now - _FAR, now + _FAR)
        if provider_post_id in {post.id for post in listed}:
            call = self._call(channel.credentials, "DELETE", f"/posts/{provider_post_id}")
            await self._calls.write(channel.credentials, call)

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        """The channels that are connected to Postiz; the limits of the one asked for."""
        response = await self._read(credentials, "/integrations")
        with expected_form("Postiz"):
            found = [_remote_channel(integration) for integration in response.json()]
        return [
            await self._with_limits(credentials, remote)
            if credentials.account in (remote.id, *remote.aliases)
            else remote
            for remote in found
        ]

    async def _with_limits(self, credentials: Credentials, remote: RemoteChannel) -> RemoteChannel:
        response = await self._read(credentials, f"/integration-settings/{remote.id}")
        with expected_form("Postiz"):
            longest = response.json()["output"]["maxLength"]
        told = {"max_text": longest} if isinstance(longest, int) else {}
        return RemoteChannel(
            remote.id,
            remote.organization_id,
            remote.service,
            remote.name,
            remote.display_name,
            remote.timezone,
            remote.is_disconnected,
            remote.is_locked,
            aliases=remote.aliases,
            limits=told,
        )

    def may_poll(self, credentials: Credentials) -> bool:
        """Whether the server takes more requests now."""
        return self._calls.has_reserve(credentials)

    async def _listed(
        self, credentials: Credentials, ids: Collection[str], first: datetime, last: datetime
    ) -> list[RemotePost]:
        """Those of ``ids`` that are there; they were to go out from ``first`` to ``last``."""
        found = await self._posts(credentials, first - _NEAR, last + _NEAR)
        if not {post.id for post in found}.issuperset(ids):
            found = await self._posts(credentials, first - _FAR, last + _FAR)
        return [post for post in found if post.id in ids]

    async def _posts(
        self, credentials: Credentials, start: datetime, end: datetime
    ) -> list[RemotePost]:
        query = urlencode({"startDate": _wire(start), "endDate": _wire(end)})
        response = await self._read(credentials, f"/posts?{query}")
        with expected_form("Postiz"):
            return [_remote_post(post) for post in response.json()["posts"]]

    async def _read(self, credentials: Credentials, path: str) -> httpx.Response:
        return await self._calls.read(credentials, self._call(credentials, "GET", path))

    def _call(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        budget: str = "",
    ) -> Call:
        # The key as it is, without a scheme.
        signed = {"Authorization": credentials.token, **(headers or {})}
        return Call(method, self._url + path, signed, json=json, content=content, budget=budget)


def failure_of(response: httpx.Response) -> Failure | None:
    """What failed of an answer; None for one that is as it should be."""
    body = json_object(response)
    message = body.get("msg") or body.get("message")
    if isinstance(message, Sequence) and not isinstance(message, str):
        message = "; ".join(map(str, message))
    failure = failure_of_status(response, message if isinstance(message, str) else "")
    is_json = response.headers.get("content-type", "").startswith("application/json")
    if failure is None and not is_json:
        return Failure(FailureKind.UNKNOWN, "the answer is not JSON")
    return failure


def _network(identifier: str) -> str:
    return identifier.removesuffix("-standalone")


def _wire(at: datetime) -> str:
    stamp = to_milliseconds(at).astimezone(UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def _remote_post(post: Mapping[str, Any]) -> RemotePost:
    due_at, state = datetime.fromisoformat(post["publishDate"]), _STATES[post["state"]]
    failed = "Postiz could not publish it; it tells why on its own pages"
    return RemotePost(
        id=post["id"],
        channel_id=post["integration"]["id"],
        state=state,
        text=post["content"],
        # It does not tell when a post was made.
        created_at=due_at,
        due_at=due_at,
        sent_at=due_at if state is RemoteState.SENT else None,
        external_link=post.get("releaseURL"),
        error_message=failed if state is RemoteState.ERROR else None,
    )


def _remote_channel(integration: Mapping[str, Any]) -> RemoteChannel:
    name = integration["name"]
    profile = integration.get("profile") or ""
    return RemoteChannel(
        id=integration["id"],
        organization_id="",
        service=integration["identifier"],
        name=name,
        display_name=name,
        timezone="",
        is_disconnected=bool(integration.get("disabled")),
        is_locked=False,
        aliases=(profile,) if profile else (),
    )
