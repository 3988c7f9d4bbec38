"""Telling an empty list from a persona that does not exist."""

from libs.errors import FailedPrecondition, Unavailable
from services.scheduler.ports import Catalog


async def check_persona_if_reachable(catalog: Catalog, persona: str) -> None:
    """Raises NotFound if the catalog says that there is no such persona.

    Lists go on without the catalog, and those of archived personas stay readable.
    """
    try:
        await catalog.check_persona(persona)
    except (Unavailable, FailedPrecondition):
        return
