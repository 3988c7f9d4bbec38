"""Campaigns: import a plan of posts as a whole, and read it."""

from libs.clock import Clock
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.campaign import Campaign, imported, without_effect
from services.catalog.domain.names import Key, campaign_key
from services.catalog.domain.persona import require_active
from services.catalog.ports import Catalog, Listing
from services.catalog.usecases.requests import answered, finish


class CampaignCases:
    """What can be done with campaigns."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def import_(
        self, campaign: Campaign, create_missing: bool, validate_only: bool, request: RequestKey
    ) -> Campaign:
        """Keeps a campaign and a suggestion for each of its posts, all of it or nothing.

        With ``validate_only`` everything is done and then undone, so that nothing is judged
        differently. Raises NotFound, InvalidArgument (UNKNOWN_PILLAR if only pillars are wrong),
        AlreadyExists, FailedPrecondition (ARCHIVED).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.campaigns.get(campaign_key(known))
            require_active(await tx.personas.locked(campaign.persona))
            pillars = await tx.pillars.of_persona(campaign.persona)
            result = imported(campaign, pillars, create_missing=create_missing)
            await tx.pillars.add_all(result.pillars)
            await tx.campaigns.add(result.campaign)
            await tx.suggestions.add_all(result.suggestions)
            if validate_only:
                return without_effect(result.campaign)
            tx.campaign_events.imported(result.campaign)
            await finish(tx, request, result.campaign.name)
        return result.campaign

    async def get(self, key: Key) -> Campaign:
        """With its posts. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.campaigns.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[Campaign]:
        """One page without posts. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.campaigns.page(persona, listing)
