"""Publishing on a Mastodon server: at once, when the post is due.

Two things keep a post from appearing twice. The server answers a repetition with the same
``Idempotency-Key`` with the first post, for about an hour; and before anything is repeated, the
account's own posts are read back, as some versions get the key wrong.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from libs.http import HttpClient
from services.scheduler.domain.counts import Counts, total
from services.scheduler.domain.reconciliation import CREATED_MARGIN, READ_BACK
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
from services.scheduler.providers.bodies import FORM, form, upload
from services.scheduler.providers.calls import (
    Call,
    Calls,
    Failure,
    expected_form,
    failure_of_status,
    json_object,
    preparing,
    proof,
)
from services.scheduler.providers.one_by_one import on_its_way, one_by_one
from services.scheduler.providers.pictures import Pictures
from services.scheduler.providers.texts import letters, plain, without_hosts

SERVICE: Final = "mastodon"
PAGE_SIZE: Final = 40
MAX_PAGES: Final = 5
PROCESSED_WITHIN: Final = 20.0
POLL_EVERY: Final = 1.0
_NOT_FOUND: Final = 404
_STILL_PROCESSING: Final = 206
_UPLOADS: Final = "uploads"  # the server counts them on their own

# What is to be read in an account's server, and its name among our limits.
_LIMITS: Final = (
    (("statuses", "max_characters"), "max_text"),
    (("statuses", "max_media_attachments"), "max_images"),
    (("media_attachments", "image_size_limit"), "max_bytes"),
    (("media_attachments", "image_matrix_limit"), "max_pixels"),
)


class MastodonPublisher:
    """The ``Publisher`` port on the REST API of the Mastodon server at ``url``."""

    name = "mastodon"
    doubt = READ_BACK

    def __init__(
        self,
        http: HttpClient,
        pictures: Pictures,
        *,
        url: str,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = Calls(http, self.name, failure_of, now)
        self._pictures = pictures
        self._url = url
        self._now = now
        self._sleep = sleep
        self._monotonic = monotonic

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What the account's server would refuse, by the limits that it told."""
        return limits.check(SERVICE, request, channel.limits)

    async def submit(
        self, channel: Channel, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        """Uploads what is not uploaded yet, then posts, once. Raises as the port says."""
        media = list(request.handles[-1].split(",")) if request.handles else []
        if not media or not await self._are_there(channel, media):
            media = [await self._upload(channel, image) for image in request.images]
            await note(",".join(media))
        await self._processed(channel, media)
        fields = [("status", request.text), ("visibility", "public")]
        headers = {"Content-Type": FORM, "Idempotency-Key": request.key}
        call = self._call(
            channel.credentials,
            "POST",
            "/api/v1/statuses",
            headers=headers,
            content=form([*fields, *(("media_ids[]", id) for id in media)]),
        )
        answer = json_object(await self._calls.write(channel.credentials, call))
        with proof("Mastodon"):
            live = _remote_post(channel, answer)
        return Submitted(live.id, {"id": live.id, "url": live.external_link}, live)

    async def find(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        """The account's own posts since ``since`` − 2 min that are of ``request``, oldest first.

        The server's clock may be another than ours; the difference is in its answers.
        """
        account = await self._account(channel.credentials)
        found: list[RemotePost] = []
        oldest = ""
        for _ in range(MAX_PAGES):
            query = f"limit={PAGE_SIZE}&exclude_reblogs=true" + (oldest and f"&max_id={oldest}")
            path = f"/api/v1/accounts/{account['id']}/statuses?{query}"
            response = await self._read(channel.credentials, path)
            start = since - CREATED_MARGIN + _ahead(response, self._now())
            with expected_form("Mastodon"):
                page = [(status, _remote_post(channel, status)) for status in response.json()]
            for status, post in page:
                if post.created_at >= start and _is_of(request, status):
                    found.append(post)
            if len(page) < PAGE_SIZE or page[-1][1].created_at < start:
                break
            oldest = page[-1][1].id
        return found[::-1]

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        """Those of the posts that are there. Raises ``ReadFailed`` if none can be read.

        One that cannot be read while others can is answered as on its way.
        """
        told, untold = await one_by_one("Mastodon", posts, lambda id: self._post(channel, id))
        there = [post for post in told.values() if post is not None]
        return [*there, *(on_its_way(channel, id, posts[id]) for id in untold)]

    async def _post(self, channel: Channel, post_id: str) -> RemotePost | None:
        status = await self._status(channel, post_id)
        if status is None:
            return None
        with expected_form("Mastodon"):
            return _remote_post(channel, status)

    async def measure(self, channel: Channel, posts: Mapping[str, datetime]) -> dict[str, Counts]:
        """What those of the posts reached that are there. Raises ``ReadFailed`` if none can be
        read."""
        told, _ = await one_by_one("Mastodon", posts, lambda id: self._reached(channel, id))
        return {id: counts for id, counts in told.items() if counts is not None}

    async def _reached(self, channel: Channel, post_id: str) -> Counts | None:
        status = await self._status(channel, post_id)
        if status is None:
            return None
        with expected_form("Mastodon"):
            return _counts(status)

    def reads(self, post: RemotePost, text: str) -> bool:
        """Whether a post says ``text``; HTML keeps no white space, and mentions lose their host."""
        return _shown(post.text) == _shown(text)

    async def withdraw(self, channel: Channel, provider_post_id: str) -> None:
        """Deletes the post, if it is there. Raises as the port says."""
        path = f"/api/v1/statuses/{provider_post_id}"
        call = self._call(channel.credentials, "DELETE", path, accept=(_NOT_FOUND,))
        await self._calls.write(channel.credentials, call)

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        """The one account that the token is of, with the limits of its server."""
        account = await self._account(credentials)
        instance = await self._read(credentials, "/api/v2/instance")
        host = urlsplit(self._url).netloc.lower()
        with expected_form("Mastodon"):
            user = account["username"]
            return [
                RemoteChannel(
                    id=f"{user}@{host}".lower(),
                    organization_id="",
                    service=SERVICE,
                    name=user,
                    display_name=account["display_name"] or f"@{user}@{host}",
                    timezone="",
                    is_disconnected=bool(account.get("suspended")),
                    is_locked=False,
                    aliases=(user, f"@{user}", f"{user}@{host}", f"@{user}@{host}", account["id"]),
                    limits=_told(instance.json()["configuration"]),
                )
            ]

    def may_poll(self, credentials: Credentials) -> bool:
        """Whether the server takes more requests now."""
        return self._calls.has_reserve(credentials)

    async def _status(self, channel: Channel, post_id: str) -> dict[str, Any] | None:
        """A post as the server tells it; None if it is gone."""
        path = f"/api/v1/statuses/{post_id}"
        response = await self._read(channel.credentials, path, accept=(_NOT_FOUND,))
        return None if response.status_code == _NOT_FOUND else json_object(response)

    async def _account(self, credentials: Credentials) -> dict[str, Any]:
        response = await self._read(credentials, "/api/v1/accounts/verify_credentials")
        return json_object(response)

    async def _upload(self, channel: Channel, image: Image) -> str:
        picture = await self._pictures.read(image)
        content_type, body = upload([("description", image.alt_text)], picture.data, "photo.jpg")
        call = self._call(
            channel.credentials,
            "POST",
            "/api/v2/media",
            headers={"Content-Type": content_type},
            content=body,
            budget=_UPLOADS,
        )
        answer = json_object(await self._calls.prepare(channel.credentials, call))
        if not isinstance(answer.get("id"), str):
            raise NotSent(FailureKind.NOT_SENT, "the server took the picture without naming it")
        return str(answer["id"])

    async def _are_there(self, channel: Channel, media: list[str]) -> bool:
        """Whether what an earlier attempt uploaded is kept still, and not attached to a post."""
        with preparing():
            answers = [
                await self._read(
                    channel.credentials, f"/api/v1/media/{id}", accept=(_NOT_FOUND, 422)
                )
                for id in media
            ]
        return all(answer.is_success for answer in answers)

    async def _processed(self, channel: Channel, media: list[str]) -> None:
        """Returns when the server has processed the uploads. Raises ``NotSent``."""
        give_up_at = self._monotonic() + PROCESSED_WITHIN
        for id in media:
            while await self._is_processing(channel, id):
                if self._monotonic() > give_up_at:
                    text = "the server is still processing the picture"
                    raise NotSent(FailureKind.NOT_READY, text, retry_after=10.0)
                await self._sleep(POLL_EVERY)

    async def _is_processing(self, channel: Channel, media: str) -> bool:
        with preparing():
            response = await self._read(channel.credentials, f"/api/v1/media/{media}")
        return response.status_code == _STILL_PROCESSING

    async def _read(
        self, credentials: Credentials, path: str, accept: tuple[int, ...] = ()
    ) -> httpx.Response:
        call = self._call(credentials, "GET", path, accept=accept)
        return await self._calls.read(credentials, call)

    def _call(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        budget: str = "",
        accept: tuple[int, ...] = (),
    ) -> Call:
        return Call(
            method,
            self._url + path,
            {"Authorization": f"Bearer {credentials.token}", **(headers or {})},
            content=content,
            budget=budget,
            accept=accept,
        )


def failure_of(response: httpx.Response) -> Failure | None:
    """What failed of an answer; None for one that is as it should be."""
    body = json_object(response)
    message = body.get("error_description") or body.get("error")
    failure = failure_of_status(response, message if isinstance(message, str) else "")
    if failure is None and not response.headers.get("content-type", "").startswith(
        "application/json"
    ):
        return Failure(FailureKind.UNKNOWN, "the answer is not JSON")
    return failure


def _is_of(request: PublishRequest, status: Mapping[str, Any]) -> bool:
    """Whether the status shows the pictures that were uploaded for the request.

    Where none were noted, its text and the number of its pictures tell.
    """
    media = status["media_attachments"]
    if request.handles:
        return ",".join(str(one["id"]) for one in media) in request.handles
    return len(media) == len(request.images) and _shown(plain(status["content"])) == _shown(
        request.text
    )


def _shown(text: str) -> str:
    return letters(without_hosts(text))


def _told(configuration: Mapping[str, Any]) -> dict[str, int]:
    told = {}
    for (group, name), limit in _LIMITS:
        value = configuration.get(group, {}).get(name)
        if isinstance(value, int):
            told[limit] = value
    return told


def _ahead(response: httpx.Response, now: datetime) -> timedelta:
    """How far the server's clock is ahead of ours; nothing if that is less than its seconds."""
    try:
        server = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return timedelta(0)
    ahead = server - now
    return ahead if abs(ahead) > timedelta(seconds=2) else timedelta(0)


def _counts(status: Mapping[str, Any]) -> Counts:
    """Servers before 4.5 tell no quotes."""
    return Counts(
        likes=int(status["favourites_count"]),
        comments=int(status["replies_count"]),
        shares=total(int(status["reblogs_count"]), status.get("quotes_count")),
    )


def _remote_post(channel: Channel, status: Mapping[str, Any]) -> RemotePost:
    created_at = datetime.fromisoformat(status["created_at"])
    return RemotePost(
        id=str(status["id"]),
        channel_id=channel.id,
        state=RemoteState.SENT,
        text=plain(status["content"]).strip(),
        created_at=created_at.astimezone(UTC),
        sent_at=created_at.astimezone(UTC),
        external_link=status.get("url") or status["uri"],
    )
