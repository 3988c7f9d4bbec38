"""What the changes of personas, pillars and photos have in common."""

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from libs.rpc.requests import RequestKey
from services.catalog.domain.persona import Persona
from services.catalog.domain.photo import Photo
from services.catalog.domain.pillar import Pillar
from services.catalog.domain.run import Run
from services.catalog.domain.suggestion import Suggestion
from services.catalog.ports import Changing

Row = TypeVar("Row", Persona, Pillar, Photo, Suggestion, Run)


async def answered(tx: Changing, request: RequestKey) -> str | None:
    """The result of an equal request that was served before; None if this one is to be served.

    Raises AlreadyExists if the id was used for another request.
    """
    return await tx.requests.claim(request.id, request.method, request.fingerprint)


async def finish(tx: Changing, request: RequestKey, result: str) -> None:
    """Commits, together with the result for whoever sends the request again."""
    await tx.requests.record(request.id, result)
    await tx.commit()


def touched(row: Row, now: datetime) -> Row:
    """``row`` as its next version."""
    return replace(row, update_time=now, version=row.version + 1)
