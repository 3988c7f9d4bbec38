"""A Mastodon server with one account: its REST API, as far as publishing needs it."""

import html
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.buffer.clock import to_wire
from tests.support.stand_ins import StandIn
from tests.support.stand_ins.photos import Photo, photo_of
from tests.support.stand_ins.server import Handler
from tests.support.stand_ins.windows import Quota, Standing

TOKEN = "stand-in-mastodon-token"
ACCOUNT_ID = "1"
KEY_KEPT = timedelta(hours=1)
MEDIA_KEPT = timedelta(hours=24)
_LINK = re.compile(r"https?://\S+")
_MENTION = re.compile(r"(?<![\w/])@(\w+)@(\w[\w.-]*\w)")
_TAG = re.compile(r"(?<!\w)#(\w+)")


@dataclass
class Media:
    id: str
    photo: Photo
    description: str
    ready_at: datetime
    made_at: datetime
    is_attached: bool = False


@dataclass
class Status:
    id: str
    text: str
    created_at: datetime
    media: list[Media]
    visibility: str
    is_deleted: bool = False
    favourites: int = 0
    reblogs: int = 0
    replies: int = 0


@dataclass
class Settings:
    """``process_seconds``: how long an upload is processed. ``repeat_is_500``: as some 4.6 are."""

    max_characters: int = 500
    max_media: int = 4
    image_size_limit: int = 16_777_216
    process_seconds: float = 0.0
    repeat_is_500: bool = False


@dataclass
class Kept:
    """What the server remembers of an idempotency key."""

    status: Status
    until: datetime = field(repr=False)


class MastodonStandIn(StandIn):
    """The account is ``nora``, its token ``TOKEN``; ``token`` becomes another when it is revoked.

    Windows: ``all`` is 300 calls in 5 minutes, ``media`` 30 uploads in 30 minutes.
    """

    def reset(self) -> None:
        super().reset()
        self.token = TOKEN
        self.settings = Settings()
        self.media: dict[str, Media] = {}
        self.statuses: dict[str, Status] = {}
        self.quotas = {"all": Quota(300, 300), "media": Quota(30, 1800)}
        self._keys: dict[str, Kept] = {}
        self._last_id = 0

    def routes(self) -> list[Route]:
        return [
            self.route("POST", "/api/v2/media", "upload", self._signed_in(self.upload)),
            self.route("GET", "/api/v1/media/{id}", "media", self._signed_in(self.get_media)),
            self.route("POST", "/api/v1/statuses", "publish", self._signed_in(self.publish)),
            self.route("GET", "/api/v1/statuses/{id}", "status", self._signed_in(self.get_status)),
            self.route("DELETE", "/api/v1/statuses/{id}", "delete", self._signed_in(self.delete)),
            self.route(
                "GET", "/api/v1/accounts/verify_credentials", "me", self._signed_in(self.me)
            ),
            self.route("GET", "/api/v1/accounts/{id}/statuses", "list", self._signed_in(self.list)),
            self.route("GET", "/api/v2/instance", "instance", self.instance),
        ]

    @property
    def live(self) -> list[Status]:
        """The posts that people see, oldest first."""
        return [status for status in self.statuses.values() if not status.is_deleted]

    def remove(self, id: str) -> None:
        """What a person does who deletes a post on the server's own pages."""
        self.statuses[id].is_deleted = True

    def edit(self, id: str, text: str) -> None:
        """What a person does who edits a post on the server's own pages."""
        self.statuses[id].text = text

    def group_of(self, operation: str) -> str:
        return "media" if operation == "upload" else "all"

    def limit_headers(self, standing: Standing) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(standing.quota.calls),
            "x-ratelimit-remaining": str(standing.left),
            "x-ratelimit-reset": to_wire(standing.resets_at),
        }

    def too_many(self, seconds: float) -> Response:
        resets_at = self.clock.now() + timedelta(seconds=seconds)
        response = _error(429, "Too many requests")
        response.headers.update(
            self.limit_headers(Standing(Quota(300, 300), 0, resets_at, is_exceeded=True))
        )
        return response

    def refusal(self, status: int) -> Response:
        return _error(status, "Validation failed: Text is not what we want")

    def disconnect(self) -> None:
        self.token = "revoked"

    def _signed_in(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                return _error(401, "The access token is invalid")
            return await handler(request)

        return answer

    async def upload(self, request: Request) -> Response:
        async with request.form() as form:
            file = form.get("file")
            data = await file.read() if isinstance(file, UploadFile) else b""
        photo = photo_of(data)
        if photo is None or photo.size > self.settings.image_size_limit:
            return _error(422, "Validation failed: File content type is invalid")
        now = self.clock.now()
        ready_at = now + timedelta(seconds=self.settings.process_seconds)
        media = Media(self._id(), photo, str(form.get("description", "")), ready_at, now)
        self.media[media.id] = media
        return JSONResponse(self._media(media), status_code=200 if ready_at <= now else 202)

    async def get_media(self, request: Request) -> Response:
        media = self.media.get(request.path_params["id"])
        now = self.clock.now()
        if media is None or media.is_attached or now - media.made_at > MEDIA_KEPT:
            return _error(404, "Record not found")
        return JSONResponse(self._media(media), status_code=200 if media.ready_at <= now else 206)

    async def publish(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")
        kept = self._keys.get(key)
        if kept is not None and kept.until > self.clock.now():
            if self.settings.repeat_is_500:
                return _error(500, "This method requires an authenticated user")
            if kept.status.is_deleted:
                return _error(404, "Record not found")
            return JSONResponse(self._status(kept.status))
        async with request.form() as form:
            made = self._made(form)
        if isinstance(made, Response):
            return made
        if key:
            self._keys[key] = Kept(made, self.clock.now() + KEY_KEPT)
        return JSONResponse(self._status(made))

    def _made(self, form: FormData) -> Status | Response:
        text, ids = str(form.get("status", "")), [str(id) for id in form.getlist("media_ids[]")]
        if not text and not ids:
            return _error(422, "Validation failed: Text can't be blank")
        if len(_LINK.sub("x" * 23, text)) > self.settings.max_characters:
            limit = self.settings.max_characters
            return _error(422, f"Validation failed: Text character limit of {limit} exceeded")
        if len(ids) > self.settings.max_media:
            return _error(422, "Validation failed: Cannot attach more than 4 files")
        media = [self.media[id] for id in ids if id in self.media]
        if len(media) < len(ids) or any(one.is_attached for one in media):
            return _error(422, "Validation failed: Media not found")
        if any(one.ready_at > self.clock.now() for one in media):
            return _error(422, "Cannot attach files that have not finished processing.")
        for one in media:
            one.is_attached = True
        visibility = str(form.get("visibility", "public"))
        status = Status(self._id(), text, self.clock.now(), media, visibility)
        self.statuses[status.id] = status
        return status

    async def get_status(self, request: Request) -> Response:
        status = self.statuses.get(request.path_params["id"])
        if status is None or status.is_deleted:
            return _error(404, "Record not found")
        return JSONResponse(self._status(status))

    async def delete(self, request: Request) -> Response:
        status = self.statuses.get(request.path_params["id"])
        if status is None or status.is_deleted:
            return _error(404, "Record not found")
        status.is_deleted = True
        return JSONResponse(self._status(status))

    async def me(self, request: Request) -> Response:
        account = {"id": ACCOUNT_ID, "username": "nora", "acct": "nora", "display_name": "Nora"}
        return JSONResponse({**account, "url": f"{self.url}/@nora"})

    async def list(self, request: Request) -> Response:
        if request.path_params["id"] != ACCOUNT_ID:
            return _error(404, "Record not found")
        before = request.query_params.get("max_id")
        found = sorted(self.live, key=lambda status: status.id, reverse=True)
        older = [status for status in found if before is None or status.id < before]
        limit = min(40, int(request.query_params.get("limit", "20")))
        return JSONResponse([self._status(status) for status in older[:limit]])

    async def instance(self, request: Request) -> Response:
        statuses = {
            "max_characters": self.settings.max_characters,
            "max_media_attachments": self.settings.max_media,
            "characters_reserved_per_url": 23,
        }
        attachments = {
            "supported_mime_types": ["image/jpeg", "image/png", "image/webp"],
            "image_size_limit": self.settings.image_size_limit,
            "image_matrix_limit": 33_177_600,
            "description_limit": 1500,
        }
        configuration = {"statuses": statuses, "media_attachments": attachments}
        return JSONResponse({"domain": "stand.in", "configuration": configuration})

    def _id(self) -> str:
        made = int(self.clock.now().timestamp() * 1000) << 16
        self._last_id = max(made, self._last_id + 1)
        return str(self._last_id)

    def _media(self, media: Media) -> dict[str, Any]:
        is_ready = media.ready_at <= self.clock.now()
        url = f"{self.url}/media/{media.id}.jpg" if is_ready else None
        return {"id": media.id, "type": "image", "url": url, "description": media.description}

    def _status(self, status: Status) -> dict[str, Any]:
        return {
            "id": status.id,
            "created_at": to_wire(status.created_at),
            "uri": f"{self.url}/users/nora/statuses/{status.id}",
            "url": f"{self.url}/@nora/{status.id}",
            "visibility": status.visibility,
            "favourites_count": status.favourites,
            "reblogs_count": status.reblogs,
            "replies_count": status.replies,
            "content": markup(status.text),
            "media_attachments": [self._media(media) for media in status.media],
        }


def markup(text: str) -> str:
    """The HTML that the server makes of a text."""
    escaped = html.escape(text, quote=False)
    linked = _LINK.sub(_link, escaped)
    tagged = _TAG.sub(r'<a href="/tags/\1" rel="tag">#<span>\1</span></a>', linked)
    mentioned = _MENTION.sub(_mention, tagged)
    paragraphs = re.split(r"\n{2,}", mentioned)
    return "".join(f"<p>{'<br />'.join(p.splitlines())}</p>" for p in paragraphs)


def _mention(found: re.Match[str]) -> str:
    name, host = found.groups()
    link = f'<a href="https://{host}/@{name}" class="u-url mention">@<span>{name}</span></a>'
    return f'<span class="h-card" translate="no">{link}</span>'


def _link(found: re.Match[str]) -> str:
    scheme, _, rest = found.group().partition("://")
    invisible = f'<span class="invisible">{scheme}://</span>'
    return f'<a href="{found.group()}">{invisible}<span class="ellipsis">{rest}</span></a>'


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)
