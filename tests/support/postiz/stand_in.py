"""A Postiz server with a Mastodon and a Bluesky channel: its public API."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.buffer.clock import from_wire, to_wire
from tests.support.stand_ins import StandIn
from tests.support.stand_ins.photos import Photo, photo_of
from tests.support.stand_ins.server import Handler
from tests.support.stand_ins.windows import Quota, Standing

KEY = "stand-in-postiz-key"
MASTODON_ID = "cmastodon0000000000000001"
BLUESKY_ID = "cbluesky00000000000000001"
MAX_UPLOAD = 10 * 1024 * 1024


@dataclass
class Integration:
    id: str
    identifier: str
    name: str
    max_length: int
    is_disabled: bool = False


@dataclass
class Post:
    """``published`` holds the times at which it went out; more than one is a mistake of ours."""

    id: str
    integration: str
    content: str
    date: datetime
    state: str
    images: list[dict[str, str]]
    published: list[datetime] = field(default_factory=list)


class PostizStandIn(StandIn):
    """``key`` becomes another when it is revoked. The window is 90 new posts an hour.

    A post goes out when its time has come; one that is scheduled again after that goes out again.
    """

    def reset(self) -> None:
        super().reset()
        self.key = KEY
        self.integrations = {
            MASTODON_ID: Integration(MASTODON_ID, "mastodon", "Nora's Mastodon", 500),
            BLUESKY_ID: Integration(BLUESKY_ID, "bluesky", "Nora's Bluesky", 300),
        }
        self.uploads: dict[str, Photo] = {}
        self._posts: dict[str, Post] = {}
        self.quotas = {"posts": Quota(90, 3600)}

    def routes(self) -> list[Route]:
        return [
            self._route("GET", "/is-connected", "connected", self.connected),
            self._route("GET", "/integrations", "integrations", self.list_integrations),
            self._route("GET", "/integration-settings/{id}", "settings", self.get_settings),
            self._route("POST", "/upload", "upload", self.upload),
            self._route("GET", "/posts", "list", self.list_posts),
            self._route("POST", "/posts", "draft", self.make),
            self._route("PUT", "/posts/{id}/status", "publish", self.set_status),
            self._route("DELETE", "/posts/{id}", "delete", self.delete),
        ]

    def _route(self, method: str, path: str, operation: str, handler: Handler) -> Route:
        return self.route(method, path, operation, self._signed_in(handler))

    @property
    def posts(self) -> dict[str, Post]:
        """All posts, as they stand now."""
        now = self.clock.now()
        for post in self._posts.values():
            if post.state == "QUEUE" and post.date <= now:
                is_disabled = self.integrations[post.integration].is_disabled
                post.state = "ERROR" if is_disabled else "PUBLISHED"
                post.published += [] if is_disabled else [now]
        return self._posts

    @property
    def live(self) -> list[Post]:
        """The posts that people see, or will; twice what went out twice."""
        kept = [post for post in self.posts.values() if post.state in ("QUEUE", "PUBLISHED")]
        return [post for post in kept for _ in range(max(1, len(post.published)))]

    def remove(self, id: str) -> None:
        """What a person does who deletes a post on the server's own pages."""
        del self._posts[id]

    def edit(self, id: str, text: str) -> None:
        """What a person does who edits a post on the server's own pages."""
        self._posts[id].content = text

    def group_of(self, operation: str) -> str:
        return "posts" if operation == "draft" else ""

    def limit_headers(self, standing: Standing) -> dict[str, str]:
        left = (standing.resets_at - self.clock.now()).total_seconds()
        return {
            "x-ratelimit-limit": str(standing.quota.calls),
            "x-ratelimit-remaining": str(standing.left),
            "x-ratelimit-reset": str(round(left)),
        }

    def too_many(self, seconds: float) -> Response:
        response = _error(429, "ThrottlerException: Too Many Requests")
        response.headers["retry-after"] = str(round(seconds))
        return response

    def refusal(self, status: int) -> Response:
        return _error(400, "mastodon: the post is not what we want")

    def disconnect(self) -> None:
        self.key = "revoked"

    def _signed_in(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if request.headers.get("authorization") != self.key:
                return JSONResponse({"msg": "Invalid API key"}, status_code=401)
            return await handler(request)

        return answer

    async def connected(self, request: Request) -> Response:
        return JSONResponse({"connected": True})

    async def list_integrations(self, request: Request) -> Response:
        return JSONResponse([self._integration(i) for i in self.integrations.values()])

    def _integration(self, integration: Integration) -> dict[str, Any]:
        return {
            "id": integration.id,
            "name": integration.name,
            "identifier": integration.identifier,
            "picture": None,
            "disabled": integration.is_disabled,
            "profile": f"nora-{integration.identifier}",
        }

    async def get_settings(self, request: Request) -> Response:
        integration = self.integrations[request.path_params["id"]]
        output = {"rules": "", "maxLength": integration.max_length, "settings": "", "tools": []}
        return JSONResponse({"output": output})

    async def upload(self, request: Request) -> Response:
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            data = await file.read()
        photo = photo_of(data)
        if photo is None or photo.size > MAX_UPLOAD:
            return _error(400, "Unsupported file type.")
        id = secrets.token_hex(12)
        self.uploads[id] = photo
        path = f"{self.url}/uploads/{id}.jpg"
        return JSONResponse({"id": id, "name": f"{id}.jpg", "path": path}, status_code=201)

    async def make(self, request: Request) -> Response:
        body = await request.json()
        [asked] = body["posts"]
        [value] = asked["value"]
        integration = self.integrations[asked["integration"]["id"]]
        if any(image["id"] not in self.uploads for image in value["image"]):
            return _error(400, "posts.0.value.0.image.0: the file is not known")
        date = from_wire(body["date"])
        if body["type"] == "schedule" and date < self.clock.now():
            return _error(400, "date must not be in the past")
        state = "DRAFT" if body["type"] == "draft" else "QUEUE"
        id = f"c{secrets.token_hex(12)}"
        content, images = value["content"], value["image"]
        self._posts[id] = Post(id, integration.id, content, date, state, images)
        return JSONResponse([{"postId": id, "integration": integration.id}], status_code=201)

    async def set_status(self, request: Request) -> Response:
        post = self.posts.get(request.path_params["id"])
        if post is None:
            return _error(500, "Internal server error")
        status = (await request.json())["status"]
        post.state = "DRAFT" if status == "draft" else "QUEUE"
        return JSONResponse({"id": post.id, "state": self.posts[post.id].state})

    async def list_posts(self, request: Request) -> Response:
        query = request.query_params
        if "startDate" not in query or "endDate" not in query:
            return _error(400, "startDate must be a valid ISO 8601 date string")
        start, end = from_wire(query["startDate"]), from_wire(query["endDate"])
        found = [post for post in self.posts.values() if start <= post.date <= end]
        return JSONResponse({"posts": [self._post(post) for post in found]})

    def _post(self, post: Post) -> dict[str, Any]:
        is_out = post.state == "PUBLISHED"
        integration = self.integrations[post.integration]
        return {
            "id": post.id,
            "content": post.content,
            "publishDate": to_wire(post.date),
            "releaseURL": f"https://social.example/{post.id}" if is_out else None,
            "releaseId": post.id if is_out else None,
            "state": post.state,
            "group": post.id,
            "tags": [],
            "integration": self._integration(integration),
        }

    async def delete(self, request: Request) -> Response:
        if self._posts.pop(request.path_params["id"], None) is None:
            return _error(500, "Internal server error")
        return JSONResponse({"error": True})


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"statusCode": status, "message": message}, status_code=status)
