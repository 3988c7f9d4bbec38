"""Channels, posts and publications for tests, with what does not matter filled in."""

from datetime import datetime
from typing import Any

from services.scheduler.domain.channel import Channel, ChannelState, Provider
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Publication


def a_channel(now: datetime, **fields: Any) -> Channel:
    """Nora's channel."""
    values: dict[str, Any] = {
        "persona": "nora",
        "id": "insta",
        "display_name": "Insta",
        "provider": Provider.BUFFER,
        "endpoint": "",
        "account": "acc",
        "organization": "org",
        "service": "instagram",
        "sealed_token": "nekot",
        "batch": "batch",
        "create_time": now,
        "update_time": now,
        "state": ChannelState.CONNECTED,
    }
    return Channel(**{**values, **fields})


def a_publication(now: datetime, **fields: Any) -> Publication:
    """The publication of ``a_post``, due now."""
    values: dict[str, Any] = {
        "id": "pub",
        "persona": "nora",
        "post": "post",
        "channel": "insta",
        "provider": "buffer",
        "photo_sha256": "ab",
        "due_at": now,
        "media_token": "secret-media-token",
        "next_attempt_at": now,
    }
    return Publication(**{**values, **fields})


def a_post(now: datetime, *publications: Publication, **fields: Any) -> Post:
    """Nora's post, with its picture."""
    values: dict[str, Any] = {
        "persona": "nora",
        "id": "post",
        "photo": "personas/nora/photos/1",
        "photo_sha256": "ab",
        "pillar": "personas/nora/pillars/tea",
        "caption": "Light",
        "hashtags": (),
        "final_text": "Light",
        "alt_text": "",
        "scheduled_time": now,
        "create_time": now,
        "update_time": now,
        "publications": publications or (a_publication(now),),
        "media": Snapshot("publications/a.jpg", "cd", "image/jpeg", 9, 40, 30),
    }
    return Post(**{**values, **fields})
