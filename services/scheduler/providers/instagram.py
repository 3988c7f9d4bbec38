"""Publishing on Instagram by the Graph API: at once, when the post is due.

A post is made in two steps: a container, whose id is noted before anything else; then the container
is published. A container tells whether it was published, which clears up every doubt, and one that
was not shows nowhere.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from libs.http import HttpClient
from services.scheduler.domain.counts import Counts
from services.scheduler.domain.reconciliation import CREATED_MARGIN, READ_BACK
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers import limits
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    Note,
    NotSent,
    OutcomeUnknown,
    Problem,
    PublishRequest,
    ReadFailed,
    RemoteChannel,
    RemotePost,
    RemoteState,
    Renewal,
    Submitted,
    forget,
)
from services.scheduler.providers.bodies import FORM, form
from services.scheduler.providers.calls import (
    Call,
    Calls,
    expected_form,
    json_object,
    preparing,
    proof,
    read_failed,
)
from services.scheduler.providers.instagram_answers import (
    INSIGHTS,
    counts_of,
    failure_of,
    failure_of_container,
    is_unknown_object,
    is_untold,
)
from services.scheduler.providers.one_by_one import on_its_way, one_by_one
from services.scheduler.providers.texts import comparable

INSTAGRAM_URL: Final = "https://graph.instagram.com"
VERSION: Final = "v24.0"
SERVICE: Final = "instagram"
# The documents disagree on 50 and 100; the account itself tells.
POSTS_A_DAY: Final = 50
PROCESSED_WITHIN: Final = 20.0
POLL_EVERY: Final = 2.0
_PAGE_SIZE: Final = 50
_QUOTA_WAIT: Final = 3600.0
# Instagram drops containers after a day; until then, one that it denies may be out.
_CONTAINER_KEPT: Final = timedelta(hours=25)
_BAD_REQUEST: Final = 400
_MEDIA: Final = "id,caption,timestamp,permalink"


@dataclass(frozen=True, slots=True)
class Container:
    """A post that is prepared; ``code`` is the provider's word for how it stands."""

    id: str
    code: str
    status: str = field(default="")


class InstagramPublisher:
    """The ``Publisher`` port on the Graph API at ``url``."""

    name = "instagram"
    doubt = READ_BACK

    def __init__(
        self,
        http: HttpClient,
        *,
        url: str = INSTAGRAM_URL,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = Calls(http, self.name, failure_of, now)
        self._root = url
        self._url = f"{url}/{VERSION}"
        self._now = now
        self._sleep = sleep
        self._monotonic = monotonic

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What Instagram would refuse."""
        return limits.check(SERVICE, request)

    async def submit(
        self, channel: Channel, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        """Publishes a container, once; makes it first if there is none. Raises as the port says."""
        container = await self._made_before(channel, request)
        if container is not None and container.code == "PUBLISHED":
            id = await self._id_of(channel, request, container)
            return Submitted(id, {"container": container.id})
        if container is None:
            await self._check_quota(channel)
            container = await self._container(channel, request)
            await note(container.id)
        await self._finished(channel, container)
        call = self._call(
            channel.credentials,
            f"/{channel.id}/media_publish",
            [("creation_id", container.id)],
        )
        answer = json_object(await self._calls.write(channel.credentials, call))
        with proof("Instagram"):
            return Submitted(str(answer["id"]), {"id": answer["id"], "container": container.id})

    async def _made_before(self, channel: Channel, request: PublishRequest) -> Container | None:
        """The container of an earlier attempt, if it can be used, or was.

        Raises ``OutcomeUnknown`` for one that cannot be read: it may be out. One that is gone, and
        no equal post is there, has expired.
        """
        if not request.handles:
            return None
        try:
            since = request.first_due_at - timedelta(minutes=5)
            container = await self._known_container(channel, request.handles[-1], since)
            if container is None and await self._equal_posts(channel, request, since):
                raise OutcomeUnknown("the container is gone, and there is an equal post")
        except ReadFailed as error:
            if error.kind is FailureKind.THROTTLED:
                raise NotSent(error.kind, error.message, retry_after=error.retry_after) from None
            raise OutcomeUnknown(f"the container cannot be read: {error.message}") from None
        is_usable = container is not None and container.code not in ("ERROR", "EXPIRED")
        return container if is_usable else None

    async def _check_quota(self, channel: Channel) -> None:
        """Raises ``NotSent`` (THROTTLED) if the account has published enough for a day."""
        path = f"/{channel.id}/content_publishing_limit?fields=quota_usage,config"
        with preparing():
            response = await self._read(channel.credentials, path)
            with expected_form("Instagram"):
                [quota] = response.json()["data"]
                total = quota.get("config", {}).get("quota_total", POSTS_A_DAY)
                is_used_up = quota["quota_usage"] >= total
        if is_used_up:
            text = f"the account has published {total} posts in 24 hours, which is all it may"
            raise NotSent(FailureKind.THROTTLED, text, retry_after=_QUOTA_WAIT, window="24h")

    async def _container(self, channel: Channel, request: PublishRequest) -> Container:
        [image] = request.images
        fields = [("image_url", image.url), ("caption", request.text)]
        if image.alt_text:
            fields.append(("alt_text", image.alt_text))
        call = self._call(channel.credentials, f"/{channel.id}/media", fields)
        answer = json_object(await self._calls.prepare(channel.credentials, call))
        if "id" not in answer:
            raise NotSent(FailureKind.NOT_SENT, "Instagram made a container without naming it")
        return Container(str(answer["id"]), "IN_PROGRESS")

    async def _finished(self, channel: Channel, container: Container) -> None:
        """Returns when the container can be published. Raises ``NotSent``."""
        give_up_at = self._monotonic() + PROCESSED_WITHIN
        while container.code != "FINISHED":
            with preparing():
                container = await self._read_container(channel, container.id)
            if container.code in ("ERROR", "EXPIRED"):
                raise NotSent(*failure_of_container(container.status))
            if container.code == "PUBLISHED":
                raise OutcomeUnknown("the container was published by somebody else")
            if container.code == "IN_PROGRESS":
                if self._monotonic() > give_up_at:
                    text = "Instagram is still processing the picture"
                    raise NotSent(FailureKind.NOT_READY, text, retry_after=15.0)
                await self._sleep(POLL_EVERY)

    async def _read_container(self, channel: Channel, id: str) -> Container:
        response = await self._read(channel.credentials, f"/{id}?fields=status_code,status")
        with expected_form("Instagram"):
            return _container(id, response.json())

    async def _known_container(
        self, channel: Channel, id: str, since: datetime
    ) -> Container | None:
        """A container made after ``since``; None if it is gone. Raises ``ReadFailed``."""
        body = await self._object(channel, f"/{id}?fields=status_code,status")
        if body is None and self._now() - since < _CONTAINER_KEPT:
            text = "Instagram denies a container that it must have still"
            raise ReadFailed(FailureKind.UNKNOWN, text)
        if body is None:
            return None
        with expected_form("Instagram"):
            return _container(id, body)

    async def find(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        """What our attempts published, by their containers. Raises ``ReadFailed``."""
        found = []
        for handle in request.handles:
            container = await self._known_container(channel, handle, since)
            if container is None:
                found += await self._equal_posts(channel, request, since)
            elif container.code == "PUBLISHED":
                posts = await self._equal_posts(channel, request, since)
                found += posts or [_of_container(channel, handle, since)]
        return list({post.id: post for post in found}.values())

    async def _equal_posts(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        start, caption = since - CREATED_MARGIN, comparable(request.text)
        listed = await self._listed(channel)
        return [p for p in listed if p.created_at >= start and comparable(p.text) == caption]

    async def _id_of(self, channel: Channel, request: PublishRequest, container: Container) -> str:
        """The id of the post that the container became, or the container's where that is open."""
        since = request.first_due_at - timedelta(minutes=5)
        with preparing():
            posts = await self._equal_posts(channel, request, since)
        return posts[0].id if len(posts) == 1 else container.id

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        """Those of the posts that are there. Raises ``ReadFailed`` if none can be read.

        One that cannot be read while others can is answered as on its way.
        """
        told, untold = await one_by_one(
            "Instagram", posts, lambda id: self._post(channel, id, posts[id])
        )
        there = [post for post in told.values() if post is not None]
        return [*there, *(on_its_way(channel, id, posts[id]) for id in untold)]

    async def _post(self, channel: Channel, id: str, due_at: datetime) -> RemotePost | None:
        media = await self._object(channel, f"/{id}?fields={_MEDIA}")
        # A container has neither time nor text, and is denied when it is asked for them.
        if media is not None and "timestamp" in media:
            with expected_form("Instagram"):
                return _remote_post(channel, media)
        # The server denies what is out at times: so its list is asked, too.
        for post in await self._listed(channel):
            if post.id == id:
                return post
        container = await self._object(channel, f"/{id}?fields=status_code,status")
        is_out = container is not None and container.get("status_code") == "PUBLISHED"
        return _of_container(channel, id, due_at) if is_out else None

    def reads(self, post: RemotePost, text: str) -> bool:
        """Whether a post says ``text``. One of which only the container is known tells no text."""
        return post.external_link is None or comparable(post.text) == comparable(text)

    async def measure(self, channel: Channel, posts: Mapping[str, datetime]) -> dict[str, Counts]:
        """What the posts reached of which Instagram tells. Raises ``ReadFailed`` if none can be
        read."""
        told, _ = await one_by_one("Instagram", posts, lambda id: self._counts(channel, id))
        return {id: counts for id, counts in told.items() if counts is not None}

    async def _counts(self, channel: Channel, id: str) -> Counts | None:
        """None if nothing is told: not yet, to too few viewers, or of a container."""
        path = f"/{id}/insights?{urlencode({'metric': ','.join(INSIGHTS)})}"
        response = await self._read(channel.credentials, path, accept=(_BAD_REQUEST,))
        failure = failure_of(response)
        if failure is not None and is_untold(failure):
            return None
        if failure is not None:
            raise read_failed(failure, channel.credentials)
        with expected_form("Instagram"):
            return counts_of(response.json()["data"])

    async def withdraw(self, channel: Channel, provider_post_id: str) -> None:
        """Refused: the API deletes nothing."""
        text = "Instagram lets only people delete posts; delete it in the app"
        raise NotSent(FailureKind.PERMANENT, text)

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        """The account that the token is of."""
        path = f"/{credentials.account}?fields=id,username,name"
        response = await self._read(credentials, path)
        with expected_form("Instagram"):
            account = response.json()
            username = account["username"]
            return [
                RemoteChannel(
                    id=str(account["id"]),
                    organization_id="",
                    service=SERVICE,
                    name=username,
                    display_name=account.get("name") or f"@{username}",
                    timezone="",
                    is_disconnected=False,
                    is_locked=False,
                )
            ]

    def may_poll(self, credentials: Credentials) -> bool:
        """Whether the server takes more requests now."""
        return self._calls.has_reserve(credentials)

    async def renew(self, credentials: Credentials) -> Renewal:
        """A token that lasts for another 60 days. Raises ``ReadFailed``."""
        query = "grant_type=ig_refresh_token"
        call = Call("GET", f"{self._root}/refresh_access_token?{query}", _signed(credentials))
        response = await self._calls.read(credentials, call)
        with expected_form("Instagram"):
            body = response.json()
            expires_at = self._now() + timedelta(seconds=int(body["expires_in"]))
            return Renewal(str(body["access_token"]), expires_at)

    async def _listed(self, channel: Channel) -> list[RemotePost]:
        query = urlencode({"fields": _MEDIA, "limit": _PAGE_SIZE})
        response = await self._read(channel.credentials, f"/{channel.id}/media?{query}")
        with expected_form("Instagram"):
            return [_remote_post(channel, media) for media in response.json()["data"]]

    async def _object(self, channel: Channel, path: str) -> dict[str, Any] | None:
        """What is under ``path``; None if the server says that there is nothing."""
        response = await self._read(channel.credentials, path, accept=(_BAD_REQUEST,))
        failure = failure_of(response)
        if failure is None:
            return json_object(response)
        if is_unknown_object(failure):
            return None
        raise read_failed(failure, channel.credentials)

    async def _read(
        self, credentials: Credentials, path: str, accept: tuple[int, ...] = ()
    ) -> httpx.Response:
        call = Call("GET", self._url + path, _signed(credentials), accept=accept)
        return await self._calls.read(credentials, call)

    def _call(self, credentials: Credentials, path: str, fields: list[tuple[str, str]]) -> Call:
        headers = {**_signed(credentials), "Content-Type": FORM}
        return Call("POST", self._url + path, headers, content=form(fields))


def _signed(credentials: Credentials) -> dict[str, str]:
    # Not in the address, which logs would keep.
    return {"Authorization": f"Bearer {credentials.token}"}


def _container(id: str, body: Mapping[str, Any]) -> Container:
    return Container(id, body["status_code"], body.get("status", ""))


def _remote_post(channel: Channel, media: Mapping[str, Any]) -> RemotePost:
    at = datetime.fromisoformat(media["timestamp"])
    return RemotePost(
        id=str(media["id"]),
        channel_id=channel.id,
        state=RemoteState.SENT,
        text=media.get("caption", ""),
        created_at=at,
        sent_at=at,
        external_link=media.get("permalink"),
    )


def _of_container(channel: Channel, id: str, at: datetime) -> RemotePost:
    """A post that is out, of which only the container is known."""
    return RemotePost(id, channel.id, RemoteState.SENT, "", at, sent_at=at)
