"""The gRPC face of what moves in from an older library."""

from typing import Any

import grpc
from colonnade.catalog.v1 import migration_service_pb2 as pb
from colonnade.catalog.v1.migration_service_pb2_grpc import MigrationServiceServicer

from libs.rpc.paging import PageTokens
from services.catalog.domain.names import QUARANTINED_PHOTO
from services.catalog.legacy.quarantine import Quarantine, Waiting

Context = grpc.aio.ServicerContext[Any, Any]


class MigrationServicer(MigrationServiceServicer):
    """``colonnade.catalog.v1.MigrationService``."""

    def __init__(self, quarantine: Quarantine, tokens: PageTokens) -> None:
        self._quarantine = quarantine
        self._tokens = tokens

    async def ListQuarantinedPhotos(
        self, request: pb.ListQuarantinedPhotosRequest, context: Context
    ) -> pb.ListQuarantinedPhotosResponse:
        listing = ("ListQuarantinedPhotos",)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        page = await self._quarantine.page(wanted)
        return pb.ListQuarantinedPhotosResponse(
            quarantined_photos=map(_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def AssignQuarantinedPhotos(
        self, request: pb.AssignQuarantinedPhotosRequest, context: Context
    ) -> pb.AssignQuarantinedPhotosResponse:
        ids = [
            QUARANTINED_PHOTO.parse(name, f"names[{position}]")[0]
            for position, name in enumerate(request.names)
        ]
        count = await self._quarantine.assign(ids, request.pillar)
        return pb.AssignQuarantinedPhotosResponse(assigned_count=count)


def _message(waiting: Waiting) -> pb.QuarantinedPhoto:
    return pb.QuarantinedPhoto(
        name=QUARANTINED_PHOTO.format(waiting.id),
        path=waiting.path,
        reason=waiting.reason,
        message=waiting.message,
        pillar=waiting.pillar,
    )
