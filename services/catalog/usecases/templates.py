"""Templates of pillars: read them, and give their pillars to a persona."""

import json

from libs.clock import Clock
from libs.errors import NotFound
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.catalog.domain.names import PILLAR_TEMPLATE
from services.catalog.domain.persona import require_active
from services.catalog.domain.pillar_template import Applied, PillarTemplate, applied
from services.catalog.domain.template_library import TEMPLATES
from services.catalog.ports import Catalog, Changing
from services.catalog.usecases.requests import answered, finish


class TemplateCases:
    """What can be done with templates of pillars."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    def get(self, id: str) -> PillarTemplate:
        """Raises NotFound."""
        if id not in TEMPLATES:
            raise NotFound("pillar template", PILLAR_TEMPLATE.format(id))
        return TEMPLATES[id]

    def page(self, wanted: PageRequest) -> Page[PillarTemplate]:
        """One page, by id."""
        after = str(wanted.after[0]) if wanted.after else ""
        rows = [template for id, template in TEMPLATES.items() if id > after]
        more = len(rows) > wanted.size
        return Page(rows[: wanted.size], (rows[wanted.size - 1].id,) if more else None)

    async def apply(
        self, id: str, persona: str, skip_existing: bool, request: RequestKey
    ) -> Applied:
        """Creates the pillars of a template, all of them or none.

        Raises NotFound, AlreadyExists unless ``skip_existing``, FailedPrecondition (ARCHIVED,
        WEIGHTS_EXCEED_100).
        """
        template = self.get(id)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await _applied_before(tx, persona, known)
            require_active(await tx.personas.locked(persona))
            existing = await tx.pillars.of_persona(persona)
            now = self._clock.now()
            result = applied(template, persona, existing, now, skip_existing=skip_existing)
            await tx.pillars.add_all(result.created)
            await finish(tx, request, _noted(result))
        return result


def _noted(result: Applied) -> str:
    """Which pillars these were, for whoever sends the request again."""
    return json.dumps([[p.id for p in result.created], [p.id for p in result.skipped]])


async def _applied_before(tx: Changing, persona: str, noted: str) -> Applied:
    """What was answered, as it is today; a pillar that was deleted since is left out."""
    created, skipped = json.loads(noted)
    pillars = {pillar.id: pillar for pillar in await tx.pillars.of_persona(persona)}
    return Applied(
        tuple(pillars[id] for id in created if id in pillars),
        tuple(pillars[id] for id in skipped if id in pillars),
    )
