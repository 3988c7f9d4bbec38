"""The fields of Buffer's Query and Mutation types. Methods are named as the fields are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from tests.support.buffer import rules
from tests.support.buffer.clock import from_wire, to_wire
from tests.support.buffer.model import ACCOUNT_ID, ORGANIZATION_ID, Post, Store, new_id

Input = Mapping[str, Any]
MAX_PAGE = 100
EMAIL = "studio@example.com"


class Root:
    """The root value of one execution; ``fault`` may refuse the next post as a duplicate."""

    def __init__(self, store: Store, *, refuse_as_duplicate: bool = False) -> None:
        self._store = store
        self._state = store.state
        self._refuse_as_duplicate = refuse_as_duplicate

    def account(self, info: GraphQLResolveInfo) -> dict[str, Any]:
        limits = dict.fromkeys(("channels", "ideas", "members", "tags"), 100)
        limits |= {"scheduledStoriesPerChannel": 10, "scheduledThreadsPerChannel": 10}
        limits["scheduledPosts"] = self._state.settings.scheduledPosts
        organization = {
            "id": ORGANIZATION_ID,
            "name": "Colonnade Studio",
            "ownerEmail": EMAIL,
            "channelCount": len(self._state.channels),
            "limits": limits,
        }
        return {
            "id": ACCOUNT_ID,
            "email": EMAIL,
            "name": "Studio",
            "timezone": "Europe/London",
            "organizations": [organization],
        }

    def channel(self, info: GraphQLResolveInfo, input: Input) -> dict[str, Any]:
        channel = self._state.channels.get(input["id"])
        if channel is None:
            raise _not_found("Channel not found")
        return asdict(channel)

    def channels(self, info: GraphQLResolveInfo, input: Input) -> list[dict[str, Any]]:
        self._check_organization(input)
        locked = (input.get("filter") or {}).get("isLocked")
        channels = self._state.channels.values()
        return [asdict(c) for c in channels if locked is None or c.isLocked == locked]

    def dailyPostingLimits(self, info: GraphQLResolveInfo, input: Input) -> list[dict[str, Any]]:
        day = (input.get("date") or to_wire(self._store.clock.now()))[:10]
        return [self._daily_limit(channel_id, day) for channel_id in input["channelIds"]]

    def _daily_limit(self, channel_id: str, day: str) -> dict[str, Any]:
        if channel_id not in self._state.channels:
            raise _not_found("Channel not found")
        limit = self._state.channels[channel_id].dailyLimit
        posts = [p for p in self._state.posts.values() if p.channelId == channel_id]
        sent = sum((post.sentAt or "")[:10] == day for post in posts)
        waiting = (post for post in posts if post.status in {"scheduled", "sending"})
        scheduled = sum((post.dueAt or "")[:10] == day for post in waiting)
        return {
            "channelId": channel_id,
            "limit": limit,
            "sent": sent,
            "scheduled": scheduled,
            "isAtLimit": limit is not None and sent + scheduled >= limit,
        }

    def post(self, info: GraphQLResolveInfo, input: Input) -> dict[str, Any]:
        post = self._state.posts.get(input["id"])
        if post is None:
            raise _not_found("Post not found")
        return self._wire(post)

    def posts(
        self,
        info: GraphQLResolveInfo,
        input: Input,
        first: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        self._check_organization(input)
        kept = [p for p in self._state.posts.values() if _passes(p, input.get("filter") or {})]
        ordered = _sorted(kept, input.get("sort") or ())
        ids = [post.id for post in ordered]
        if after is not None and after not in ids:
            raise GraphQLError("Invalid cursor", extensions={"code": "UNEXPECTED"})
        start = ids.index(after) + 1 if after is not None else 0
        end = start + min(first or 20, MAX_PAGE)
        return self._page(ordered[start:end], has_more=end < len(ordered))

    def _page(self, posts: Sequence[Post], *, has_more: bool) -> dict[str, Any]:
        return {
            "edges": [{"cursor": post.id, "node": self._wire(post)} for post in posts],
            "pageInfo": {
                "startCursor": posts[0].id if posts else None,
                "endCursor": posts[-1].id if posts else None,
                "hasNextPage": has_more,
                "hasPreviousPage": False,
            },
        }

    def createPost(self, info: GraphQLResolveInfo, input: Input) -> dict[str, Any]:
        now = self._store.clock.now()
        try:
            channel = rules.check_new_post(self._state, input, now)
            if self._refuse_as_duplicate:
                raise rules.duplicate_refusal(None)
        except rules.Refusal as refusal:
            return refusal.payload()
        is_draft = input.get("saveToDraft")
        post = Post(
            id=new_id(self._store.clock),
            channelId=channel.id,
            channelService=channel.service,
            text=input.get("text") or "",
            status="draft" if is_draft else _first_status(input),
            shareMode=input["mode"],
            schedulingType=input["schedulingType"],
            createdAt=to_wire(now),
            updatedAt=to_wire(now),
            dueAt=rules.due_at(self._state, channel, input, now),
            assets=_assets(input),
            metadata=dict(input.get("metadata") or {}),
        )
        self._state.posts[post.id] = post
        self._store.save()
        return {"__typename": "PostActionSuccess", "post": self._wire(post)}

    def editPost(self, info: GraphQLResolveInfo, input: Input) -> dict[str, Any]:
        try:
            post = self._edited(input)
        except rules.Refusal as refusal:
            return refusal.payload()
        self._store.save()
        return {"__typename": "PostActionSuccess", "post": self._wire(post)}

    def _edited(self, input: Input) -> Post:
        post = self._state.posts.get(input["id"])
        if post is None:
            raise rules.Refusal("NotFoundError", "Post not found")
        if post.status in {"sending", "sent"}:
            raise rules.Refusal("InvalidInputError", "Invalid post: This post was sent already.")
        channel, now = rules.usable_channel(self._state, post.channelId), self._store.clock.now()
        rules.check_time(input, now)
        if "text" in input:
            post.text = input["text"] or ""
        if input.get("assets") is not None:
            post.assets = _assets(input)
        if input.get("saveToDraft"):
            post.status, post.dueAt = "draft", None
        elif input.get("mode"):
            post.shareMode, post.status, post.error = input["mode"], "scheduled", None
            post.dueAt = rules.due_at(self._state, channel, input, now)
        post.updatedAt = to_wire(now)
        return post

    def deletePost(self, info: GraphQLResolveInfo, input: Input) -> dict[str, Any]:
        if self._state.posts.pop(input["id"], None) is None:
            return {"__typename": "VoidMutationError", "message": "Post not found"}
        self._store.save()
        return {"__typename": "DeletePostSuccess", "id": input["id"]}

    def _check_organization(self, input: Input) -> None:
        if input["organizationId"] != ORGANIZATION_ID:
            raise _not_found("Organization not found")

    def _wire(self, post: Post) -> dict[str, Any]:
        return asdict(post) | {
            "allowedActions": [],
            "tags": [],
            "author": {"id": ACCOUNT_ID, "email": EMAIL, "name": "Studio"},
            "channel": asdict(self._state.channels[post.channelId]),
            "isCustomScheduled": post.shareMode == "customScheduled",
            "sharedNow": post.shareMode == "shareNow",
            "via": "buffer",
            "assets": [_wire_asset(asset) for asset in post.assets],
            "metrics": [_wire_metric(*metric) for metric in post.metrics.items()],
        }


def _first_status(input: Input) -> str:
    return "needs_approval" if input.get("needsApproval") else "scheduled"


def _assets(input: Input) -> list[dict[str, str]]:
    images = [asset["image"] for asset in input["assets"] if asset.get("image")]
    return [
        {"source": image["url"], "altText": (image.get("metadata") or {}).get("altText", "")}
        for image in images
    ]


def _wire_asset(asset: Mapping[str, str]) -> dict[str, Any]:
    return {
        "__typename": "ImageAsset",
        "id": None,
        "mimeType": "image/jpeg",
        "source": asset["source"],
        "thumbnail": asset["source"],
        "type": "image",
        "image": {"altText": asset["altText"], "width": 1080, "height": 1080, "isAnimated": False},
    }


def _wire_metric(type: str, value: float) -> dict[str, Any]:
    unit = "percentage" if type == "engagementRate" else "count"
    return {"type": type, "name": type, "description": type, "unit": unit, "value": value}


def _not_found(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "NOT_FOUND"})


def _passes(post: Post, wanted: Input) -> bool:
    return (
        (not wanted.get("channelIds") or post.channelId in wanted["channelIds"])
        and (not wanted.get("status") or post.status in wanted["status"])
        and _within(post.createdAt, wanted.get("createdAt"))
        and _within(post.dueAt, wanted.get("dueAt"))
        and _has_presence(post.dueAt, wanted.get("dueAtPresence"))
        and _after(post, wanted.get("startDate"))
        and _before(post, wanted.get("endDate"))
    )


def _within(value: str | None, wanted: Input | None) -> bool:
    if wanted is None:
        return True
    if value is None:
        return False
    at = from_wire(value)
    start, end = wanted.get("start"), wanted.get("end")
    return (not start or from_wire(start) <= at) and (not end or at <= from_wire(end))


def _has_presence(value: str | None, wanted: str | None) -> bool:
    return wanted is None or (value is not None) == (wanted == "present")


def _after(post: Post, start: str | None) -> bool:
    times = (post.createdAt, post.dueAt)
    return start is None or any(at and from_wire(at) > from_wire(start) for at in times)


def _before(post: Post, end: str | None) -> bool:
    times = (post.createdAt, post.dueAt)
    return end is None or any(at and from_wire(at) < from_wire(end) for at in times)


def _sorted(posts: Sequence[Post], sort: Sequence[Input]) -> list[Post]:
    ordered = sorted(posts, key=lambda post: post.id)
    for key in reversed(sort):
        field = key["field"]
        ordered.sort(
            key=lambda post, field=field: getattr(post, field) or "",  # type: ignore[misc]
            reverse=key["direction"] == "desc",
        )
    return ordered
