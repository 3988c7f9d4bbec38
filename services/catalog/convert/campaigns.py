"""Campaigns."""

from datetime import UTC, datetime

from colonnade.catalog.v1 import campaign_pb2 as pb

from libs.errors import InvalidArgument
from libs.ids import uuid7
from services.catalog.convert.values import moment, timestamp
from services.catalog.domain.campaign import Campaign, CampaignPost


def new_campaign(message: pb.Campaign, persona: str, id: str, now: datetime) -> Campaign:
    """A campaign that is to be imported; each post has the id that its suggestion gets."""
    return Campaign(
        persona=persona,
        id=id,
        display_name=message.display_name,
        create_time=now,
        description=message.description,
        posts=tuple(map(_new_post, message.posts)),
    )


def campaign_message(campaign: Campaign) -> pb.Campaign:
    """The campaign for the wire."""
    return pb.Campaign(
        name=campaign.name,
        display_name=campaign.display_name,
        description=campaign.description,
        posts=[_post_message(campaign, post) for post in campaign.posts],
        post_count=campaign.post_count,
        create_time=timestamp(campaign.create_time),
    )


def _new_post(message: pb.CampaignPost) -> CampaignPost:
    return CampaignPost(
        pillar=message.pillar,
        suggestion=uuid7(),
        title=message.title,
        description=message.description,
        prompt=message.prompt,
        caption=message.caption,
        hashtags=tuple(message.hashtags),
        scheduled_time=_due(message),
    )


def _due(message: pb.CampaignPost) -> datetime | None:
    """When a post is due. One outside the calendar is put at its edge, where it is as wrong, so
    that it is told together with everything else that is."""
    try:
        return moment(message, "scheduled_time", "scheduled_time")
    except InvalidArgument:
        past = message.scheduled_time.seconds < 0
        return (datetime.min if past else datetime.max).replace(tzinfo=UTC)


def _post_message(campaign: Campaign, post: CampaignPost) -> pb.CampaignPost:
    return pb.CampaignPost(
        pillar=campaign.pillar_name(post),
        title=post.title,
        description=post.description,
        prompt=post.prompt,
        caption=post.caption,
        hashtags=post.hashtags,
        scheduled_time=timestamp(post.scheduled_time),
        suggestion=campaign.suggestion_name(post),
    )
