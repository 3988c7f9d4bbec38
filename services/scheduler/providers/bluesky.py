"""Publishing on Bluesky, or another server of the AT Protocol: at once, when the post is due.

The record's key is ours, made of the publication. Putting the same record under it again changes
nothing, so that a call may be repeated however often.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import httpx

from libs.http import HttpClient
from services.scheduler.domain.counts import Counts, total
from services.scheduler.domain.reconciliation import SAME_AGAIN
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
    ReadFailed,
    RemoteChannel,
    RemotePost,
    RemoteState,
    Submitted,
    forget,
)
from services.scheduler.providers.bluesky_record import (
    COLLECTION,
    created_at,
    moment,
    record_key,
    record_of,
)
from services.scheduler.providers.bluesky_session import Session, Sessions
from services.scheduler.providers.calls import (
    Call,
    Calls,
    Failure,
    expected_form,
    failure_of_status,
    json_object,
    preparing,
    proof,
    read_failed,
)
from services.scheduler.providers.one_by_one import on_its_way, one_by_one
from services.scheduler.providers.pictures import Pictures
from services.scheduler.providers.texts import comparable

BLUESKY_URL: Final = "https://bsky.social"
SERVICE: Final = "bluesky"
# Servers before 2026 take no more than a million.
MAX_BLOB: Final = 976 * 1024
# As many as app.bsky.feed.getPosts takes.
POSTS_A_CALL: Final = 25
# The picture is made smaller until it fits, so that its own size is no obstacle.
_ANY_SIZE: Final = {"max_bytes": 50_000_000}
_BAD_REQUEST: Final = 400
_WRITES: Final = "writes"  # the server counts them on their own

_AUTH_ERRORS: Final = frozenset(
    {
        "AccountDeactivated",
        "AccountTakedown",
        "AuthFactorTokenRequired",
        "AuthMissing",
        "AuthenticationRequired",
        "ExpiredToken",
        "InvalidToken",
    }
)
T = TypeVar("T")


class BlueskyPublisher:
    """The ``Publisher`` port on the XRPC methods of the server at ``url``."""

    name = "bluesky"
    doubt = SAME_AGAIN

    def __init__(
        self,
        http: HttpClient,
        pictures: Pictures,
        *,
        url: str = BLUESKY_URL,
        now: Callable[[], datetime],
    ) -> None:
        self._calls = Calls(http, self.name, failure_of, now)
        self._pictures = pictures
        self._url = url
        self._sessions = Sessions(self._calls, url)

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What Bluesky would refuse."""
        return limits.check(SERVICE, request, _ANY_SIZE)

    async def submit(
        self, channel: Channel, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        """Uploads the pictures, then puts the record, once. Raises as the port says."""
        images = [await self._upload(channel, image) for image in request.images]
        record = record_of(request, images)

        async def put(session: Session) -> httpx.Response:
            body = {
                "repo": session.did,
                "collection": COLLECTION,
                "rkey": record_key(request),
                # "Only if there is none yet": without it, another's record would be replaced.
                "swapRecord": None,
                "record": record,
            }
            call = self._call("com.atproto.repo.putRecord", session, json=body, budget=_WRITES)
            return await self._calls.write(channel.credentials, call)

        try:
            answer = json_object(await self._signed_in(channel.credentials, put))
        except NotSent as error:
            if error.kind is not FailureKind.DUPLICATE:
                raise
            return await self._there_already(channel, request)
        with proof("Bluesky"):
            uri = str(answer["uri"])
            live = _remote_post(channel.id, uri, record)
        return Submitted(uri, {"uri": uri, "cid": answer.get("cid")}, live)

    async def _there_already(self, channel: Channel, request: PublishRequest) -> Submitted:
        """What is under the key of ``request``, if an earlier attempt put it there."""
        with preparing():
            found = await self._record(channel, record_key(request))
        if found is None or found.created_at != moment(created_at(request)):
            text = "another record has the post's key; retry it at another time"
            raise NotSent(FailureKind.PERMANENT, text)
        return Submitted(found.id, {"uri": found.id}, found)

    async def find(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        """The record under the key of ``request``, if there is one. Raises ``ReadFailed``."""
        found = await self._record(channel, record_key(request))
        return [found] if found else []

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        """Those of the posts that are there. Raises ``ReadFailed`` if none can be read.

        One that cannot be read while others can is answered as on its way.
        """
        told, untold = await one_by_one(
            "Bluesky", posts, lambda uri: self._record(channel, uri.rpartition("/")[2])
        )
        there = [post for post in told.values() if post is not None]
        return [*there, *(on_its_way(channel, uri, posts[uri]) for uri in untold)]

    def reads(self, post: RemotePost, text: str) -> bool:
        """Whether a record says ``text``; records are kept as they were put."""
        return comparable(post.text) == comparable(text)

    async def measure(self, channel: Channel, posts: Mapping[str, datetime]) -> dict[str, Counts]:
        """What those of the posts reached that are there. Raises ``ReadFailed``."""
        found: dict[str, Counts] = {}
        for uris in _portions(list(posts), POSTS_A_CALL):
            query = urlencode([("uris", uri) for uri in uris])

            async def get(session: Session, query: str = query) -> httpx.Response:
                call = self._call(f"app.bsky.feed.getPosts?{query}", session, "GET")
                return await self._calls.read(channel.credentials, call)

            response = await self._signed_in(channel.credentials, get)
            with expected_form("Bluesky"):
                found |= {view["uri"]: _counts(view) for view in response.json()["posts"]}
        return found

    async def withdraw(self, channel: Channel, provider_post_id: str) -> None:
        """Deletes the record; one that is gone already passes. Raises as the port says."""

        async def delete(session: Session) -> None:
            rkey = provider_post_id.rpartition("/")[2]
            body = {"repo": session.did, "collection": COLLECTION, "rkey": rkey}
            call = self._call("com.atproto.repo.deleteRecord", session, json=body, budget=_WRITES)
            await self._calls.write(channel.credentials, call)

        await self._signed_in(channel.credentials, delete)

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        """The one account that the app password is of."""
        session = await self._sessions.of(credentials)
        return [
            RemoteChannel(
                id=session.did,
                organization_id="",
                service=SERVICE,
                name=session.handle,
                display_name=f"@{session.handle}",
                timezone="",
                is_disconnected=False,
                is_locked=False,
                aliases=(session.handle, f"@{session.handle}", credentials.account),
            )
        ]

    def may_poll(self, credentials: Credentials) -> bool:
        """Whether the server takes more requests now."""
        return self._calls.has_reserve(credentials)

    async def _signed_in(
        self, credentials: Credentials, act: Callable[[Session], Awaitable[T]]
    ) -> T:
        """What ``act`` gives; once more with a new session if the server refuses the old one."""
        session = await self._sessions.of(credentials)
        try:
            return await act(session)
        except (NotSent, ReadFailed) as error:
            if error.kind is not FailureKind.AUTH:
                raise
        return await act(await self._sessions.renewed(credentials, session))

    async def _upload(self, channel: Channel, image: Image) -> dict[str, Any]:
        picture = await self._pictures.within(image, MAX_BLOB)

        async def upload(session: Session) -> httpx.Response:
            headers = {"Content-Type": image.content_type}
            call = self._call(
                "com.atproto.repo.uploadBlob", session, headers=headers, content=picture.data
            )
            return await self._calls.prepare(channel.credentials, call)

        answer = json_object(await self._signed_in(channel.credentials, upload))
        if not isinstance(answer.get("blob"), dict):
            raise NotSent(FailureKind.NOT_SENT, "Bluesky took the picture without naming it")
        ratio = {"width": picture.width, "height": picture.height}
        return {"image": answer["blob"], "alt": image.alt_text, "aspectRatio": ratio}

    async def _record(self, channel: Channel, rkey: str) -> RemotePost | None:
        async def get(session: Session) -> tuple[Session, httpx.Response]:
            query = {"repo": session.did, "collection": COLLECTION, "rkey": rkey}
            method = f"com.atproto.repo.getRecord?{urlencode(query)}"
            call = self._call(method, session, "GET", accept=(_BAD_REQUEST,))
            response = await self._calls.read(channel.credentials, call)
            failure = failure_of(response)
            if failure is not None and failure.code != "RecordNotFound":
                raise read_failed(failure, channel.credentials)
            return session, response

        session, response = await self._signed_in(channel.credentials, get)
        if not response.is_success:
            return None
        with expected_form("Bluesky"):
            body = response.json()
            return _remote_post(session.did, body["uri"], body["value"])

    def _call(
        self,
        method: str,
        session: Session,
        verb: str = "POST",
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        budget: str = "",
        accept: tuple[int, ...] = (),
    ) -> Call:
        return Call(
            verb,
            f"{self._url}/xrpc/{method}",
            {**session.headers, **(headers or {})},
            json=json,
            content=content,
            budget=budget,
            accept=accept,
        )


def failure_of(response: httpx.Response) -> Failure | None:
    """What failed of an answer; None for one that is as it should be."""
    body = json_object(response)
    code = str(body.get("error") or "")
    message = str(body.get("message") or code)
    if response.is_success:
        is_json = response.headers.get("content-type", "").startswith("application/json")
        return None if is_json else Failure(FailureKind.UNKNOWN, "the answer is not JSON")
    if code in _AUTH_ERRORS:
        return Failure(FailureKind.AUTH, message, code=code)
    if code == "InvalidSwap":
        return Failure(FailureKind.DUPLICATE, message, code=code)
    failure = failure_of_status(response, message)
    if failure is None:
        return None
    return Failure(failure.kind, failure.message, failure.retry_after, code=code)


def _portions(uris: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (uris[start : start + size] for start in range(0, len(uris), size))


def _counts(view: Mapping[str, Any]) -> Counts:
    """The lexicon demands none of the counts."""
    return Counts(
        likes=view.get("likeCount"),
        comments=view.get("replyCount"),
        saves=view.get("bookmarkCount"),
        shares=total(view.get("repostCount"), view.get("quoteCount")),
    )


def _remote_post(did: str, uri: str, record: Mapping[str, Any]) -> RemotePost:
    at = moment(record["createdAt"])
    return RemotePost(
        id=uri,
        channel_id=did,
        state=RemoteState.SENT,
        text=record["text"],
        created_at=at,
        sent_at=at,
        external_link=f"https://bsky.app/profile/{did}/post/{uri.rpartition('/')[2]}",
    )
