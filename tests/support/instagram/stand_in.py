"""The Graph API with one professional account, as far as publishing photos needs it."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.stand_ins import StandIn
from tests.support.stand_ins.server import Handler

TOKEN = "stand-in-instagram-token"
ACCOUNT_ID = "17841400000000001"
CONTAINER_KEPT = timedelta(hours=24)
DAY = timedelta(days=1)
TOKEN_LASTS = timedelta(days=60)


@dataclass
class Container:
    id: str
    caption: str
    alt_text: str
    image_url: str
    made_at: datetime
    finished_at: datetime
    error: str = ""
    is_published: bool = False


@dataclass
class Media:
    id: str
    caption: str
    alt_text: str
    published_at: datetime
    insights: dict[str, int] | None = None


@dataclass
class Settings:
    """``process_seconds``: how long a picture is processed. ``denies``: ids it says are not there,
    though they are. ``breaks``: ids of which it tells nonsense. ``leaves_out``: what a
    container has not, instead of refusing to be asked for it. ``hesitates``: so many times
    a finished container cannot be published yet."""

    process_seconds: float = 0.0
    quota: int = 50
    denies: frozenset[str] = frozenset()
    breaks: frozenset[str] = frozenset()
    leaves_out: bool = False
    hesitates: int = 0


class InstagramStandIn(StandIn):
    """``token`` becomes another when it is revoked. The picture is fetched with the container."""

    def reset(self) -> None:
        super().reset()
        self.token = TOKEN
        self.settings = Settings()
        self.containers: dict[str, Container] = {}
        self.media: dict[str, Media] = {}
        self._last_id = 17900000000000000

    def routes(self) -> list[Route]:
        return [
            self._route("GET", "/refresh_access_token", "renew", self.renew),
            self._route("POST", "/{version}/{account}/media", "container", self.make),
            self._route("GET", "/{version}/{account}/media", "list", self.list_media),
            self._route("POST", "/{version}/{account}/media_publish", "publish", self.publish),
            self._route(
                "GET", "/{version}/{account}/content_publishing_limit", "quota", self.get_quota
            ),
            self._route("GET", "/{version}/{id}/insights", "insights", self.get_insights),
            self._route("GET", "/{version}/{id}", "get", self.get),
        ]

    def _route(self, method: str, path: str, operation: str, handler: Handler) -> Route:
        return self.route(method, path, operation, self._signed_in(handler))

    @property
    def live(self) -> list[Media]:
        """The posts that people see, oldest first."""
        return list(self.media.values())

    def remove(self, id: str) -> None:
        """What a person does who deletes a post in the app."""
        del self.media[id]

    def edit(self, id: str, text: str) -> None:
        """What a person does who edits a caption in the app."""
        self.media[id].caption = text

    def too_many(self, seconds: float) -> Response:
        response = _error(400, 4, "Application request limit reached")
        entry = {"type": "instagram", "estimated_time_to_regain_access": seconds / 60}
        response.headers["x-business-use-case-usage"] = json.dumps({ACCOUNT_ID: [entry]})
        return response

    def refusal(self, status: int) -> Response:
        return _error(400, 36003, "The aspect ratio is not supported.", 2207009)

    def blocked(self) -> Response:
        return _error(403, 4, "We restrict certain activity to protect our community", 2207051)

    def disconnect(self) -> None:
        self.token = "revoked"

    def _signed_in(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                return _error(400, 190, "Error validating access token: session invalidated")
            if not re.fullmatch(r"v\d\d\.0", request.path_params.get("version", "v24.0")):
                return _error(400, 2635, "You are calling a deprecated version")
            return await handler(request)

        return answer

    async def renew(self, request: Request) -> Response:
        self.token = f"{TOKEN}-{self.calls['renew']}"
        lasts = int(TOKEN_LASTS.total_seconds())
        return JSONResponse({"access_token": self.token, "expires_in": lasts})

    async def make(self, request: Request) -> Response:
        async with request.form() as form:
            url, caption = str(form.get("image_url", "")), str(form.get("caption", ""))
            alt_text = str(form.get("alt_text", ""))
        if len(caption) > 2200 or caption.count("#") > 30:
            return _error(400, 100, "The caption is too long.", 2207010)
        now = self.clock.now()
        finished_at = now + timedelta(seconds=self.settings.process_seconds)
        id = self._id()
        container = Container(id, caption, alt_text, url, now, finished_at)
        container.error = await _problem(url)
        self.containers[id] = container
        return JSONResponse({"id": id})

    async def publish(self, request: Request) -> Response:
        async with request.form() as form:
            container = self.containers.get(str(form.get("creation_id")))
        if container is None:
            return _error(400, 100, "Object does not exist", 33)
        state = self._state(container)
        if self.settings.hesitates and state == "FINISHED":
            self.settings.hesitates -= 1
            state = "IN_PROGRESS"
        if state == "IN_PROGRESS":
            return _error(400, 9007, "Media ID is not available", 2207027)
        if state != "FINISHED":
            return _error(400, -2, "The media container has expired", 2207020)
        if self._used() >= self.settings.quota:
            return _error(400, 9, "You reached the maximum number of posts", 2207042)
        container.is_published = True
        id, now = self._id(), self.clock.now()
        self.media[id] = Media(id, container.caption, container.alt_text, now)
        return JSONResponse({"id": id})

    async def get_quota(self, request: Request) -> Response:
        config = {"quota_total": self.settings.quota, "quota_duration": 86400}
        return JSONResponse({"data": [{"quota_usage": self._used(), "config": config}]})

    async def get(self, request: Request) -> Response:
        id = request.path_params["id"]
        if id == ACCOUNT_ID:
            return JSONResponse({"id": id, "username": "nora", "name": "Nora"})
        if id in self.settings.denies:
            return _error(400, 100, "Unsupported get request. Object does not exist", 33)
        if id in self.settings.breaks:
            return JSONResponse({"id": id, "timestamp": "yesterday"})
        if id in self.media:
            return JSONResponse(self._media(self.media[id]))
        if id in self.containers and "timestamp" in request.query_params.get("fields", ""):
            if self.settings.leaves_out:
                return JSONResponse({"id": id})
            return _error(400, 100, "Tried accessing nonexisting field (caption)")
        if id in self.containers:
            container = self.containers[id]
            body = {"id": id, "status_code": self._state(container), "status": container.error}
            return JSONResponse(body)
        return _error(400, 100, "Unsupported get request. Object does not exist", 33)

    async def list_media(self, request: Request) -> Response:
        found = sorted(self.media.values(), key=lambda m: m.published_at, reverse=True)
        limit = int(request.query_params.get("limit", "25"))
        return JSONResponse({"data": [self._media(media) for media in found[:limit]]})

    async def get_insights(self, request: Request) -> Response:
        """What ``insights`` of the media holds; None: too few people saw it."""
        id, wanted = request.path_params["id"], request.query_params.get("metric", "").split(",")
        media = self.media.get(id)
        if media is None or id in self.settings.denies:
            return _error(400, 100, "Unsupported get request. Object does not exist", 33)
        if media.insights is None:
            return _error(400, 10, "(#10) Not enough viewers for the media to show insights")
        data = [
            {"name": name, "period": "lifetime", "values": [{"value": value}], "id": id}
            for name, value in media.insights.items()
            if name in wanted
        ]
        return JSONResponse({"data": data})

    def _state(self, container: Container) -> str:
        now = self.clock.now()
        if container.is_published:
            return "PUBLISHED"
        if container.error:
            return "ERROR"
        if now - container.made_at > CONTAINER_KEPT:
            return "EXPIRED"
        return "FINISHED" if container.finished_at <= now else "IN_PROGRESS"

    def _used(self) -> int:
        now = self.clock.now()
        return sum(now - media.published_at < DAY for media in self.media.values())

    def _media(self, media: Media) -> dict[str, Any]:
        return {
            "id": media.id,
            "caption": media.caption,
            "timestamp": media.published_at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "permalink": f"https://www.instagram.example/p/{media.id}/",
        }

    def _id(self) -> str:
        self._last_id += 1
        return str(self._last_id)


async def _problem(url: str) -> str:
    """What the container tells if the picture at ``url`` cannot be used."""
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            response = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL):
        return "Error: Media could not be fetched from this URI: 2207052"
    is_jpeg = response.headers.get("content-type") == "image/jpeg"
    if response.status_code != httpx.codes.OK or not is_jpeg:
        return "Error: Media could not be fetched from this URI: 2207052"
    return "" if len(response.content) <= 8_000_000 else "Error: The image is too large: 2207004"


def _error(status: int, code: int, message: str, subcode: int | None = None) -> JSONResponse:
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    return JSONResponse({"error": {**error, "fbtrace_id": "A"}}, status_code=status)
