"""The life of a scheduled post: at its time the pictures are fetched, then it is out or failed."""

import asyncio
import hashlib

import httpx

from tests.support.buffer.clock import later, to_wire
from tests.support.buffer.model import Fault, Post, Store

FETCH_TIMEOUT = 10.0
MAX_BYTES = 10_000_000
USER_AGENT = "Mozilla/5.0 (compatible; BufferStandIn/1.0)"


class Publishing:
    """Moves posts from scheduled to sending to sent or error, by the stand-in's clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_at_a_time = asyncio.Lock()

    async def run(self, every: float = 0.1) -> None:
        """Looks for due posts until cancelled."""
        while True:
            await self.tick()
            await asyncio.sleep(every)

    async def tick(self) -> None:
        """Brings every post to where it should be now."""
        async with self._one_at_a_time:
            for post in list(self._store.state.posts.values()):
                if post.status == "scheduled" and self._is_past(post.dueAt):
                    self._start(post)
                if post.status == "sending" and len(post.fetched) < len(post.assets):
                    await self._fetch_all(post)
                if post.status == "sending" and self._is_past(post.finishAt):
                    self._finish(post)

    def _is_past(self, at: str | None) -> bool:
        return at is not None and at <= to_wire(self._store.clock.now())

    def _start(self, post: Post) -> None:
        channel = self._store.state.channels[post.channelId]
        if channel.isQueuePaused or post.dueAt is None:
            return
        if channel.isDisconnected:
            self._fail(post, f"Please reconnect your {channel.service} channel.", "disconnected")
            return
        post.status = "sending"
        post.finishAt = later(post.dueAt, self._publish_seconds(post))
        self._store.save()

    async def _fetch_all(self, post: Post) -> None:
        async with httpx.AsyncClient(timeout=FETCH_TIMEOUT) as client:
            post.fetched = [await _fetch(client, asset["source"]) for asset in post.assets]
        self._store.save()

    def _publish_seconds(self, post: Post) -> float:
        fault = take_fault(self._store, "publish", "slow_media") if post.assets else None
        return self._store.state.settings.publishSeconds + (fault.seconds if fault else 0.0)

    def _finish(self, post: Post) -> None:
        for fetch in post.fetched:
            if fetch["problem"]:
                self._fail(
                    post, f"We could not fetch your image: {fetch['problem']}.", fetch["url"]
                )
                return
        post.status, post.sentAt, post.updatedAt = "sent", post.finishAt, post.finishAt or ""
        post.externalLink = f"https://{post.channelService}.example/p/{post.id}"
        self._store.save()

    def _fail(self, post: Post, message: str, raw: str) -> None:
        post.status = "error"
        post.updatedAt = to_wire(self._store.clock.now())
        post.error = {
            "message": message,
            "rawError": raw,
            "supportUrl": "https://support.buffer.example/failed-posts",
        }
        self._store.save()


async def _fetch(client: httpx.AsyncClient, url: str) -> dict[str, object]:
    record: dict[str, object] = {"url": url, "status": None, "sha256": None, "problem": None}
    try:
        response = await client.get(url, headers={"User-Agent": USER_AGENT})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return record | {"problem": type(error).__name__}
    record |= {
        "status": response.status_code,
        "contentType": response.headers.get("content-type", ""),
        "bytes": len(response.content),
        "sha256": hashlib.sha256(response.content).hexdigest(),
    }
    return record | {"problem": _problem(response)}


def _problem(response: httpx.Response) -> str | None:
    content_type = response.headers.get("content-type", "")
    if response.status_code != httpx.codes.OK:
        return f"the address answered with {response.status_code}"
    if not content_type.startswith("image/"):
        return f"the address answered with {content_type or 'no content type'}"
    if len(response.content) > MAX_BYTES:
        return "the image exceeds the file size limit"
    return None


def take_fault(store: Store, operation: str, *kinds: str) -> Fault | None:
    """The first fault that is set for ``operation`` (of ``kinds``, if given), used up once."""
    for fault in store.state.faults:
        if fault.operation in {operation, "*"} and (not kinds or fault.kind in kinds):
            fault.times -= 1
            if fault.times <= 0:
                store.state.faults.remove(fault)
            store.save()
            return fault
    return None
