"""Approvals of posts: what was approved is what goes out."""

import hashlib
import json
from typing import Final

from services.scheduler.domain.post import Post

# Why a publication waits on a channel that asks for an approval.
APPROVAL_HELD: Final = "APPROVAL_HELD"
WAITS: Final = "waits for somebody to approve the post"
VOID: Final = "the post was changed after it was approved; somebody must approve it again"


def content_of(post: Post) -> str:
    """The hash of all that an approval is about: picture, text, description, channels and time."""
    time = post.scheduled_time.isoformat() if post.scheduled_time else ""
    channels = sorted(publication.channel for publication in post.publications)
    parts = [post.photo_sha256, post.final_text, post.alt_text, time, channels]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_approved(post: Post) -> bool:
    """Whether the post is as somebody approved it."""
    return post.approval is not None and post.approval.content == content_of(post)


def obstacle_of(post: Post) -> str:
    """Why a post must not go out on a channel that asks for an approval; empty if it may."""
    if is_approved(post):
        return ""
    return VOID if post.approval else WAITS
