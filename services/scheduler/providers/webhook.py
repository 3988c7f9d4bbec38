"""Publishing through a program of one's own: a signed message, when the post is due.

The receiver keeps a repetition apart by ``webhook-id``; every attempt of a publication carries the
same one, and the same body. It cannot be asked what it has, so that a lost answer is cleared up by
sending the message again. One that has only accepted a post (202) says where it tells what became
of it.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from libs.http import HttpClient
from services.scheduler.domain.publication import to_milliseconds
from services.scheduler.domain.reconciliation import SAME_AGAIN
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
from services.scheduler.providers.calls import (
    Call,
    Calls,
    Failure,
    failure_of_status,
    json_object,
    masked,
)
from services.scheduler.providers.one_by_one import on_its_way, one_by_one
from services.scheduler.providers.webhook_signature import secrets_of, signature

SERVICE: Final = "webhook"
PUBLISH: Final = "post.publish"
CONNECT: Final = "channel.connect"
MAX_BODY: Final = 20_000
_MAX_LINK: Final = 2048
# In the id of a post that is asked about at this address, and in no publication's.
_SCHEME: Final = "://"
_GONE: Final = (httpx.codes.NOT_FOUND, httpx.codes.GONE)
_STATES: Final = {"posted": RemoteState.SENT, "failed": RemoteState.ERROR}


class WebhookPublisher:
    """The ``Publisher`` port on a receiver of Standard Webhooks at ``url``."""

    name = "webhook"
    doubt = SAME_AGAIN

    def __init__(self, http: HttpClient, *, url: str, now: Callable[[], datetime]) -> None:
        self._calls = Calls(http, self.name, failure_of, now)
        self._url = url
        self._now = now

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What is too much for a message; the rest is the receiver's affair."""
        size = len(_body(PUBLISH, request.first_due_at, _data(channel, request)))
        if size > MAX_BODY:
            message = f"the message has {size} bytes, at most {MAX_BODY} are sent; shorten the text"
            too_long = Problem("TEXT_TOO_LONG", "post.caption", message, str(size), str(MAX_BODY))
            return [too_long]
        return limits.check(SERVICE, request)

    async def submit(
        self, channel: Channel, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        """Sends the message, once. Raises as the port says."""
        body = _body(PUBLISH, request.first_due_at, _data(channel, request))
        try:
            call = self._call(channel.credentials, request.key, body)
        except ValueError as error:
            raise NotSent(FailureKind.AUTH, str(error)) from None
        response = await self._calls.write(channel.credentials, call)
        answer = json_object(response)
        told: dict[str, Any] = {
            name: answer[name]
            for name in ("external_id", "url", "status_url")
            if _is_kept(answer.get(name))
        }
        address = self._status_address(answer.get("status_url"))
        if response.status_code == httpx.codes.ACCEPTED and address is not None:
            return Submitted(address, told)
        now = self._now()
        live = RemotePost(
            id=request.key,
            channel_id=channel.id,
            state=RemoteState.SENT,
            text=request.text,
            created_at=now,
            sent_at=now,
            external_link=_link(told.get("url")),
        )
        return Submitted(request.key, told, live)

    async def find(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        """Nothing: a receiver cannot be asked."""
        return []

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        """Those that were only accepted, as the receiver tells them; all others are out.

        Raises ``ReadFailed`` if nothing can be read.
        """

        async def ask(id: str) -> RemotePost | None:
            if _SCHEME in id:
                return await self._told(channel, id, posts[id])
            return RemotePost(id, channel.id, RemoteState.SENT, "", posts[id], sent_at=posts[id])

        told, untold = await one_by_one("the receiver", posts, ask)
        there = [post for post in told.values() if post is not None]
        return [*there, *(on_its_way(channel, id, posts[id]) for id in untold)]

    def reads(self, post: RemotePost, text: str) -> bool:
        """True: nobody tells what a receiver makes of a text."""
        return True

    async def withdraw(self, channel: Channel, provider_post_id: str) -> None:
        """Refused: a message cannot be taken back."""
        raise NotSent(FailureKind.PERMANENT, "a message cannot be taken back; ask its receiver")

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        """The receiver, if it accepts a message of the type ``channel.connect``."""
        account, now = credentials.account, self._now()
        body = _body(CONNECT, now, {"channel": account})
        try:
            call = self._call(credentials, f"connect-{int(now.timestamp() * 1000)}", body)
        except ValueError as error:
            raise ReadFailed(FailureKind.AUTH, str(error)) from None
        await self._calls.read(credentials, call)
        host = urlsplit(self._url).netloc
        return [
            RemoteChannel(
                id=account,
                organization_id="",
                service=SERVICE,
                name=account,
                display_name=f"{account} at {host}",
                timezone="",
                is_disconnected=False,
                is_locked=False,
            )
        ]

    def may_poll(self, credentials: Credentials) -> bool:
        """Always: no receiver tells how much it takes; one that takes no more says so (429)."""
        return True

    async def _told(self, channel: Channel, address: str, due_at: datetime) -> RemotePost | None:
        """What the receiver tells at ``address``; None if it knows nothing of the post any more.

        Whatever is neither out nor failed is under way: who waits too long for it is told of that.
        """
        now = self._now()
        try:
            call = self._call(
                channel.credentials, f"status-{int(now.timestamp() * 1000)}", b"", address
            )
        except ValueError as error:
            raise ReadFailed(FailureKind.AUTH, str(error)) from None
        response = await self._calls.read(channel.credentials, call)
        if response.status_code in _GONE:
            return None
        answer = json_object(response)
        state = _STATES.get(str(answer.get("state")), RemoteState.SENDING)
        message = answer.get("message")
        told = masked(message, channel.credentials.token) if isinstance(message, str) else None
        return RemotePost(
            id=address,
            channel_id=channel.id,
            state=state,
            text="",
            created_at=due_at,
            sent_at=now if state is RemoteState.SENT else None,
            external_link=_link(answer.get("url")),
            error_message=told,
        )

    def _status_address(self, address: object) -> str | None:
        """``address``, absolute, if it is one at the receiver itself; it is asked with our
        signature."""
        if not isinstance(address, str) or not address:
            return None
        ours = httpx.URL(self._url)
        try:
            theirs = ours.join(address)
        except (httpx.InvalidURL, ValueError):
            return None
        is_here = (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)
        # It is kept as it is asked for, which may be longer than it was told.
        is_plain = not theirs.userinfo and len(str(theirs)) <= _MAX_LINK
        return str(theirs) if is_here and is_plain else None

    def _call(
        self, credentials: Credentials, id: str, body: bytes, status_address: str = ""
    ) -> Call:
        timestamp = int(self._now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secrets_of(credentials.token), id, timestamp, body),
            # For receivers that know only that name of it.
            "Idempotency-Key": id,
        }
        if status_address:
            return Call("GET", status_address, headers, accept=_GONE)
        return Call("POST", self._url, headers, content=body)


def failure_of(response: httpx.Response) -> Failure | None:
    """What failed of an answer; None for one that is as it should be."""
    body = json_object(response)
    message = body.get("message") or body.get("error")
    text = message if isinstance(message, str) else f"HTTP {response.status_code}"
    if response.status_code == httpx.codes.GONE:
        return Failure(FailureKind.AUTH, f"the receiver wants no more messages: {text}")
    return failure_of_status(response, text)


def _data(channel: Channel, request: PublishRequest) -> dict[str, Any]:
    return {
        "channel": channel.id,
        "publication": request.key,
        "text": request.text,
        "images": [
            {
                "url": image.url,
                "alt_text": image.alt_text,
                "content_type": image.content_type,
                "size_bytes": image.size_bytes,
                "width": image.width,
                "height": image.height,
            }
            for image in request.images
        ],
    }


def _body(type: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    stamp = to_milliseconds(at).astimezone(UTC).isoformat(timespec="milliseconds")
    message = {"type": type, "timestamp": stamp.replace("+00:00", "Z"), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _is_kept(value: object) -> bool:
    """Whether it is what the record takes: a number, or a text of what can be printed."""
    is_text = isinstance(value, str) and value.isprintable() and len(value) <= _MAX_LINK
    return is_text or isinstance(value, int)


def _link(url: object) -> str | None:
    is_link = isinstance(url, str) and url.startswith(("https://", "http://"))
    return str(url) if is_link and _is_kept(url) else None
