"""A server of the AT Protocol with one account, as far as publishing needs it."""

import base64
import hashlib
import json
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.stand_ins import StandIn
from tests.support.stand_ins.photos import Photo, photo_of
from tests.support.stand_ins.server import Handler
from tests.support.stand_ins.windows import Quota, Standing

HANDLE = "nora.stand.in"
DID = "did:plc:standin000000000000000000"
APP_PASSWORD = "abcd-efgh-ijkl-mnop"
COLLECTION = "app.bsky.feed.post"
ACCESS_LASTS = timedelta(hours=2)
BLOB_KEPT = timedelta(minutes=10)
MAX_BLOB = 1_000_000
_TID = re.compile(r"[234567a-j][234567a-z]{12}")


@dataclass
class Blob:
    photo: Photo | None
    size: int
    uploaded_at: datetime


class BlueskyStandIn(StandIn):
    """The account is ``HANDLE``; ``password`` becomes another when it is revoked.

    Windows: ``sessions`` 30 in 5 minutes, ``writes`` 1,666 creations an hour, ``all`` 3,000 in 5
    minutes.
    """

    def reset(self) -> None:
        super().reset()
        self.password = APP_PASSWORD
        self.records: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, Blob] = {}
        self.commits = 0
        self.counts: dict[str, dict[str, int]] = {}
        self.quotas = {
            "sessions": Quota(30, 300),
            "writes": Quota(1666, 3600),
            "all": Quota(3000, 300),
        }
        self._access: dict[str, datetime] = {}
        self._refresh: set[str] = set()

    def routes(self) -> list[Route]:
        return [
            self._route("POST", "server.createSession", "sign_in", self.sign_in),
            self._route("POST", "server.refreshSession", "refresh", self.refresh),
            self._route("POST", "repo.uploadBlob", "upload", self._signed_in(self.upload)),
            self._route("POST", "repo.putRecord", "publish", self._signed_in(self.put)),
            self._route("POST", "repo.deleteRecord", "delete", self._signed_in(self.delete)),
            self._route("GET", "repo.getRecord", "get", self.get),
            self.route(
                "GET", "/xrpc/app.bsky.feed.getPosts", "views", self._signed_in(self.get_views)
            ),
        ]

    def _route(self, method: str, name: str, operation: str, handler: Handler) -> Route:
        return self.route(method, f"/xrpc/com.atproto.{name}", operation, handler)

    @property
    def live(self) -> dict[str, dict[str, Any]]:
        """The posts that people see, by their address."""
        return {_uri(rkey): record for rkey, record in self.records.items()}

    def photo(self, record: dict[str, Any]) -> Photo | None:
        """The picture of a post."""
        [image] = record["embed"]["images"]
        return self.blobs[image["image"]["ref"]["$link"]].photo

    def remove(self, uri: str) -> None:
        """What a person does who deletes a post in the app."""
        del self.records[uri.rpartition("/")[2]]

    def edit(self, uri: str, text: str) -> None:
        """What another program does that puts another record in the place of a post."""
        self.records[uri.rpartition("/")[2]]["text"] = text

    def end_sessions(self) -> None:
        """All access tokens are too old from now on."""
        self._access = dict.fromkeys(self._access, self.clock.now())

    def group_of(self, operation: str) -> str:
        if operation in ("sign_in", "refresh"):
            return "sessions"
        return "writes" if operation in ("publish", "delete") else "all"

    def limit_headers(self, standing: Standing) -> dict[str, str]:
        return {
            "ratelimit-limit": str(standing.quota.calls),
            "ratelimit-remaining": str(standing.left),
            "ratelimit-reset": str(int(standing.resets_at.timestamp())),
            "ratelimit-policy": f"{standing.quota.calls};w={standing.quota.seconds}",
        }

    def too_many(self, seconds: float) -> Response:
        resets_at = self.clock.now() + timedelta(seconds=seconds)
        response = _error(429, "RateLimitExceeded", "Rate Limit Exceeded")
        standing = Standing(Quota(1666, 3600), 0, resets_at, is_exceeded=True)
        response.headers.update(self.limit_headers(standing))
        return response

    def refusal(self, status: int) -> Response:
        return _error(status, "InvalidRequest", "Invalid record: we do not want it")

    def disconnect(self) -> None:
        self.password = "revoked"
        self._access.clear()
        self._refresh.clear()

    async def sign_in(self, request: Request) -> Response:
        body = await request.json()
        if body["identifier"] not in (HANDLE, DID) or body["password"] != self.password:
            return _error(401, "AuthenticationRequired", "Invalid identifier or password")
        return self._session()

    async def refresh(self, request: Request) -> Response:
        token = _bearer(request)
        if token not in self._refresh:
            return _error(400, "ExpiredToken", "Token has been revoked")
        self._refresh.remove(token)
        return self._session()

    def _session(self) -> Response:
        access, refresh = secrets.token_hex(16), secrets.token_hex(16)
        self._access[access] = self.clock.now() + ACCESS_LASTS
        self._refresh.add(refresh)
        tokens = {"accessJwt": access, "refreshJwt": refresh}
        return JSONResponse({"did": DID, "handle": HANDLE, **tokens})

    def _signed_in(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            expires_at = self._access.get(_bearer(request))
            if expires_at is None:
                return _error(401, "InvalidToken", "Token could not be verified")
            if expires_at <= self.clock.now():
                return _error(400, "ExpiredToken", "Token has expired")
            return await handler(request)

        return answer

    async def upload(self, request: Request) -> Response:
        data = await request.body()
        digest = hashlib.sha256(data).digest()
        link = "bafkrei" + base64.b32encode(digest).decode().lower().rstrip("=")
        self.blobs[link] = Blob(photo_of(data), len(data), self.clock.now())
        mime_type = request.headers["content-type"]
        ref = {"$type": "blob", "ref": {"$link": link}, "mimeType": mime_type, "size": len(data)}
        return JSONResponse({"blob": ref})

    async def put(self, request: Request) -> Response:
        body = await request.json()
        rkey, record = body["rkey"], body["record"]
        if body["repo"] != DID or body["collection"] != COLLECTION or not _TID.fullmatch(rkey):
            return _error(400, "InvalidRequest", "Invalid repo, collection or record key")
        if problem := self._problem(record):
            return _error(400, "InvalidRequest", f"Invalid {COLLECTION} record: {problem}")
        there = self.records.get(rkey)
        if there is not None and "swapRecord" in body and there != record:
            return _error(400, "InvalidSwap", f"Record was at {_cid(there)}")
        self.commits += there != record
        self.records[rkey] = record
        return JSONResponse({"uri": _uri(rkey), "cid": _cid(record)})

    def _problem(self, record: dict[str, Any]) -> str:
        text = record["text"]
        size = len(text.encode())
        if size > 3000 or sum(not unicodedata.combining(c) for c in text) > 300:
            return "text must not be longer than 300 graphemes"
        if not record["createdAt"].endswith("Z"):
            return "createdAt must have a zone"
        for facet in record.get("facets", ()):
            start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
            if not 0 <= start < end <= size:
                return "facets must lie within the text"
        images = record.get("embed", {}).get("images", [])
        if len(images) > 4 or any(not isinstance(image.get("alt"), str) for image in images):
            return "images must be at most four, each with alt"
        return next((p for image in images if (p := self._blob_problem(image["image"]))), "")

    def _blob_problem(self, ref: dict[str, Any]) -> str:
        blob = self.blobs.get(ref["ref"]["$link"])
        if blob is None or self.clock.now() - blob.uploaded_at > BLOB_KEPT:
            return "could not find blob"
        if blob.size > MAX_BLOB or blob.photo is None:
            return f"blob must be an image of at most {MAX_BLOB} bytes"
        return ""

    async def delete(self, request: Request) -> Response:
        self.records.pop((await request.json())["rkey"], None)
        return JSONResponse({})

    async def get(self, request: Request) -> Response:
        rkey = request.query_params["rkey"]
        record = self.records.get(rkey)
        if record is None:
            return _error(400, "RecordNotFound", f"Could not locate record: {_uri(rkey)}")
        return JSONResponse({"uri": _uri(rkey), "cid": _cid(record), "value": record})

    async def get_views(self, request: Request) -> Response:
        """Posts with their counts, by address; ``counts`` says which have another than 0."""
        uris = request.query_params.getlist("uris")
        if len(uris) > 25:
            return _error(400, "InvalidRequest", "uris must not have more than 25 elements")
        none = {"likeCount": 0, "replyCount": 0, "repostCount": 0, "quoteCount": 0}
        found = [(uri, self.live[uri]) for uri in uris if uri in self.live]
        views = [
            {"uri": uri, "cid": _cid(record), "record": record, **none, **self.counts.get(uri, {})}
            for uri, record in found
        ]
        return JSONResponse({"posts": views})


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _uri(rkey: str) -> str:
    return f"at://{DID}/{COLLECTION}/{rkey}"


def _cid(record: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
    return "bafyrei" + base64.b32encode(digest).decode().lower().rstrip("=")


def _error(status: int, error: str, message: str) -> JSONResponse:
    return JSONResponse({"error": error, "message": message}, status_code=status)
