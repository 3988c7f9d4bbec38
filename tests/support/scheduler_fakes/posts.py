"""Posts in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from libs.rpc.paging import Page
from services.scheduler.domain.names import Key, no_post
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import Post
from services.scheduler.ports import PostListing
from tests.support.scheduler_fakes.data import Data


class FakePosts:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, post: Post, prepare_at: datetime) -> None:
        self._data.posts[post.key] = post
        self._data.prepare_at[post.key] = prepare_at

    async def add_publications(self, post: Post) -> None:
        self._data.posts[post.key] = post

    async def imported(self, persona: str, external_ids: Collection[str]) -> Mapping[str, Post]:
        return {
            post.external_id: post
            for post in self._data.posts.values()
            if post.persona == persona and post.external_id in external_ids
        }

    async def suggestions_of(self, campaign: str) -> Collection[str]:
        return [p.suggestion for p in self._data.posts.values() if p.campaign == campaign]

    async def awaiting(self, suggestion: str) -> Key | None:
        posts = self._data.posts.values()
        waiting = (p.key for p in posts if p.suggestion == suggestion and not p.photo)
        return next(waiting, None)

    async def taken(self, photos: Collection[str]) -> Collection[str]:
        return {p.photo for p in self._data.posts.values() if p.state != "cancelled"} & set(photos)

    async def lock_calendar(self, persona: str) -> None:
        return

    async def times(self, persona: str, start: datetime, end: datetime) -> Sequence[datetime]:
        times = (p.scheduled_time for p in self._data.posts.values() if p.persona == persona)
        return [at for at in times if at is not None and start <= at <= end]

    async def locked_of_photo(self, photo: str) -> Post | None:
        posts = self._data.posts.values()
        there = (p for p in posts if p.photo == photo and p.state != "cancelled")
        return max(there, key=lambda post: post.generation, default=None)

    latest_of_photo = locked_of_photo

    async def get(self, key: Key) -> Post:
        if key not in self._data.posts:
            raise no_post(key)
        return self._data.posts[key]

    locked = get

    async def of_publication(self, publication: str) -> Post | None:
        posts = self._data.posts.values()
        found = (p for p in posts if publication in {x.id for x in p.publications})
        return next(found, None)

    locked_of_publication = of_publication

    async def save(self, post: Post) -> None:
        stored = self._data.posts[post.key]
        self._data.posts[post.key] = replace(post, publications=stored.publications)

    async def keep_media(self, post: str, snapshot: Snapshot) -> None:
        for key, stored in self._data.posts.items():
            if stored.id == post:
                self._data.posts[key] = replace(stored, media=snapshot)

    async def lock_media(self, key: str) -> None:
        return

    async def spent_media(self, before: datetime, limit: int) -> Sequence[str]:
        raise NotImplementedError

    async def forget_media(self, key: str, before: datetime) -> bool:
        raise NotImplementedError

    async def page(self, listing: PostListing) -> Page[Post]:
        return Page(list(self._data.posts.values()))

    async def version(self, key: Key) -> int:
        return (await self.get(key)).version

    async def unprepared(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        due = [key for key, at in self._data.prepare_at.items() if at <= now][:limit]
        self._data.prepare_at.update(dict.fromkeys(due, again_at))
        return due
