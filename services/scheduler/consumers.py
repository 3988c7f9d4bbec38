"""From events of other services to what the scheduler does about them."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from colonnade.events.v1 import event_pb2
from google.protobuf.message import DecodeError, Message

from libs.errors import InvalidArgument
from libs.events.stream import Event, Reject, Subscription, each
from services.scheduler.convert import moment_in
from services.scheduler.domain.names import CAMPAIGN, PHOTO
from services.scheduler.domain.photo import Rights
from services.scheduler.domain.repeat import Likeness
from services.scheduler.usecases.campaigns import CampaignPost, Campaigns
from services.scheduler.usecases.repeats import FollowCopies
from services.scheduler.usecases.rights import FollowRights

M = TypeVar("M", bound=Message)


class Consumers:
    """Handlers of the events that the scheduler listens to."""

    def __init__(self, rights: FollowRights, campaigns: Campaigns, copies: FollowCopies) -> None:
        self._rights = rights
        self._campaigns = campaigns
        self._copies = copies

    def of_catalog(self) -> Mapping[str, Subscription]:
        """What to do about events of the catalog."""
        return {
            "photo.created": each(self.photo_created),
            "photo.updated": each(self.photo_updated),
            "photo.deleted": each(self.photo_deleted),
            "campaign.imported": each(self.campaign_imported),
        }

    def of_clustering(self) -> Mapping[str, Subscription]:
        """What to do about events of the clustering service."""
        return {"photo.copies_found": each(self.copies_found)}

    async def copies_found(self, event: Event) -> None:
        """It is known what a photo is a copy of."""
        message = _read(event, event_pb2.PhotoCopiesFound())
        copies = {_photo(copy.photo): _likeness(copy.verdict) for copy in message.copies}
        await self._copies.found(event.id, _photo(message.photo), copies, message.version)

    async def photo_created(self, event: Event) -> None:
        """A photo came into the library; a post may wait for it."""
        message = _read(event, event_pb2.PhotoCreated())
        if message.suggestion:
            await self._campaigns.photo_made(event.id, _photo(message.photo), message.suggestion)

    async def photo_updated(self, event: Event) -> None:
        """A photo may have other rights now."""
        message = _read(event, event_pb2.PhotoUpdated())
        if message.HasField("rights"):
            rights = _rights(message.rights)
            await self._rights.changed(event.id, _photo(message.photo), rights, message.version)

    async def photo_deleted(self, event: Event) -> None:
        """A photo is gone."""
        message = _read(event, event_pb2.PhotoDeleted())
        await self._rights.gone(event.id, _photo(message.photo))

    async def campaign_imported(self, event: Event) -> None:
        """A campaign came in, whose posts wait for their photos."""
        message = _read(event, event_pb2.CampaignImported())
        try:
            CAMPAIGN.parse(message.campaign, "campaign")
        except InvalidArgument as error:
            raise Reject(f"{message.campaign!r} is not the name of a campaign") from error
        if not all(post.suggestion for post in message.posts):
            raise Reject(f"{message.campaign} has a post without a suggestion")
        posts = [_campaign_post(post) for post in message.posts]
        await self._campaigns.imported(event.id, message.campaign, posts)


def _rights(message: event_pb2.PhotoRights) -> Rights:
    return Rights(
        _time(message, "embargo_time"),
        _time(message, "expire_time"),
        message.held,
        message.archived,
    )


def _campaign_post(message: event_pb2.CampaignImportedPost) -> CampaignPost:
    return CampaignPost(
        message.suggestion,
        message.pillar,
        message.caption,
        tuple(message.hashtags),
        _time(message, "scheduled_time"),
    )


def _time(message: Message, field: str) -> datetime | None:
    try:
        return moment_in(message, field)
    except InvalidArgument as error:
        raise Reject(error.message) from error


def _read(event: Event, message: M) -> M:
    try:
        message.ParseFromString(event.payload)
    except DecodeError as error:
        raise Reject(f"{event.type}: the payload cannot be read: {error}") from error
    return message


def _likeness(verdict: str) -> Likeness:
    try:
        return Likeness(verdict.lower())
    except ValueError as error:
        raise Reject(f"{verdict!r} does not say what two photos are to each other") from error


def _photo(name: str) -> str:
    try:
        uuid.UUID(PHOTO.parse(name, "photo")[1])
    except (InvalidArgument, ValueError) as error:
        raise Reject(f"{name!r} is not the name of a photo") from error
    return name
