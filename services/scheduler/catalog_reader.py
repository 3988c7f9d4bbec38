"""The catalog service as the scheduler sees it."""

from datetime import UTC, datetime
from typing import Literal

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import UsageRights

from libs.errors import FailedPrecondition
from libs.images import ImageLimits, inspect
from services.scheduler.domain.names import PERSONA
from services.scheduler.domain.photo import Photo, Rights
from services.scheduler.ports import Rendition

_PUBLISH = catalog.ReadPhotoMediaRequest.RENDITION_PUBLISH


class CatalogReader:
    """See ``ports.Catalog``; the stub raises ``libs.errors``."""

    def __init__(self, stub: CatalogServiceStub) -> None:
        self._stub = stub

    async def check_persona(self, persona: str) -> None:
        """See Catalog."""
        name = PERSONA.format(persona)
        found = await self._stub.GetPersona(catalog.GetPersonaRequest(name=name))
        if found.state == Persona.STATE_ARCHIVED:
            raise FailedPrecondition(
                f"{name} is archived; nothing new can be added to it",
                reason="ARCHIVED",
                metadata={"persona": name},
            )

    async def photo(self, name: str) -> Photo:
        """See Catalog."""
        found = await self._stub.GetPhoto(catalog.GetPhotoRequest(name=name))
        return Photo(found.name, found.pillar, found.sha256, found.alt_text, _rights(found.rights))

    async def rendition(self, name: str) -> Rendition:
        """See Catalog."""
        request = catalog.ReadPhotoMediaRequest(name=name, rendition=_PUBLISH)
        mime_type, chunks = "", []
        async for response in self._stub.ReadPhotoMedia(request):
            if response.WhichOneof("payload") == "info":
                mime_type = response.info.mime_type
            else:
                chunks.append(response.chunk)
        data = b"".join(chunks)
        size = inspect(data, ImageLimits())
        return Rendition(mime_type, size.width, size.height, data)


def _rights(rights: UsageRights) -> Rights:
    return Rights(_moment(rights, "embargo_time"), _moment(rights, "expire_time"), rights.held)


def _moment(rights: UsageRights, field: Literal["embargo_time", "expire_time"]) -> datetime | None:
    if not rights.HasField(field):
        return None
    moment: datetime = getattr(rights, field).ToDatetime(tzinfo=UTC)
    return moment
