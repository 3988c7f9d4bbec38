"""Campaigns in PostgreSQL."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.errors import AlreadyExists, NotFound
from libs.rpc.paging import Page
from services.catalog.domain.campaign import Campaign, CampaignPost
from services.catalog.domain.names import CAMPAIGN, Key
from services.catalog.ports import Listing
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import Document, read_page
from services.catalog.tables import CAMPAIGNS, SUGGESTIONS

_C = CAMPAIGNS.c
_POSTS = Document(tuple[CampaignPost, ...])
_WITHOUT_POSTS = [column for column in CAMPAIGNS.columns if column is not _C.posts]


class CampaignRepository:
    """See ``ports.Campaigns``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, campaign: Campaign) -> None:
        """See Campaigns."""
        try:
            await self._connection.execute(CAMPAIGNS.insert().values(_values(campaign)))
        except IntegrityError as error:
            if violated(error) != "campaigns_display_key":
                raise
            name = campaign.display_name
            text = f"the persona has a campaign called {name!r} already; choose another name"
            raise AlreadyExists("campaign", name, text) from error

    async def get(self, key: Key) -> Campaign:
        """See Campaigns."""
        rows = CAMPAIGNS.select().where(_C.persona_id == key.persona, _C.id == key.id)
        found = (await self._connection.execute(rows)).one_or_none()
        if found is None:
            raise NotFound("campaign", CAMPAIGN.format(*key))
        suggestions = sa.select(SUGGESTIONS.c.id).where(SUGGESTIONS.c.campaign_id == key.id)
        there = set((await self._connection.execute(suggestions)).scalars())
        posts = _POSTS.load(found.posts)
        return replace(_campaign(found), posts=tuple(_with_suggestion(p, there) for p in posts))

    async def page(self, persona: str, listing: Listing) -> Page[Campaign]:
        """See Campaigns."""
        rows = sa.select(*_WITHOUT_POSTS).where(_C.persona_id == persona)
        page = await read_page(self._connection, rows, CAMPAIGNS, listing, _campaign)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page


def _with_suggestion(post: CampaignPost, there: set[str]) -> CampaignPost:
    return post if post.suggestion in there else replace(post, suggestion="")


def _values(campaign: Campaign) -> dict[str, Any]:
    return {
        "persona_id": campaign.persona,
        "id": campaign.id,
        "display_name": campaign.display_name,
        "display_key": campaign.display_key,
        "description": campaign.description,
        "posts": _POSTS.store(campaign.posts),
        "post_count": campaign.post_count,
        "create_time": campaign.create_time,
    }


def _campaign(row: Any) -> Campaign:
    return Campaign(
        persona=row.persona_id,
        id=row.id,
        display_name=row.display_name,
        create_time=row.create_time,
        description=row.description,
        post_count=row.post_count,
    )
