"""The gRPC face of imports and of the inbox."""

from typing import Any

import grpc
from colonnade.catalog.v1 import import_service_pb2 as pb
from colonnade.catalog.v1 import photo_import_pb2
from colonnade.catalog.v1.import_service_pb2_grpc import ImportServiceServicer

from libs.clock import Clock
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.catalog import filters
from services.catalog.convert import imports, photos
from services.catalog.domain.names import persona_id, photo_import_key
from services.catalog.ports import Listing
from services.catalog.usecases.all import UseCases

Context = grpc.aio.ServicerContext[Any, Any]


class ImportServicer(ImportServiceServicer):
    """``colonnade.catalog.v1.ImportService``."""

    def __init__(self, cases: UseCases, tokens: PageTokens, clock: Clock) -> None:
        self._cases = cases
        self._tokens = tokens
        self._clock = clock

    async def CreatePhotoImport(
        self, request: pb.CreatePhotoImportRequest, context: Context
    ) -> photo_import_pb2.PhotoImport:
        wanted = imports.new_import(request.photo_import, request.parent, self._clock.now())
        key = request_of(request, "CreatePhotoImport")
        return imports.import_message(await self._cases.imports.create(wanted, key))

    async def GetPhotoImport(
        self, request: pb.GetPhotoImportRequest, context: Context
    ) -> photo_import_pb2.PhotoImport:
        found = await self._cases.imports.get(photo_import_key(request.name))
        return imports.import_message(found)

    async def ListPhotoImports(
        self, request: pb.ListPhotoImportsRequest, context: Context
    ) -> pb.ListPhotoImportsResponse:
        listing = ("ListPhotoImports", request.parent, request.filter)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        conditions = filters.import_conditions(request.filter)
        page = await self._cases.imports.page(persona, Listing(wanted, conditions, True))
        return pb.ListPhotoImportsResponse(
            photo_imports=map(imports.import_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def ListPhotoImportItems(
        self, request: pb.ListPhotoImportItemsRequest, context: Context
    ) -> pb.ListPhotoImportItemsResponse:
        listing = ("ListPhotoImportItems", request.parent, request.filter)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        key = photo_import_key(request.parent, "parent")
        conditions = filters.import_item_conditions(request.filter)
        page = await self._cases.imports.items(key, Listing(wanted, conditions))
        return pb.ListPhotoImportItemsResponse(
            items=(imports.item_message(item, key.persona) for item in page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def RecordPhotoImportItems(
        self, request: pb.RecordPhotoImportItemsRequest, context: Context
    ) -> pb.RecordPhotoImportItemsResponse:
        key, now = photo_import_key(request.parent, "parent"), self._clock.now()
        items = [imports.reported_item(item, now) for item in request.items]
        found = await self._cases.imports.record(key, items)
        return pb.RecordPhotoImportItemsResponse(photo_import=imports.import_message(found))

    async def CompletePhotoImport(
        self, request: pb.CompletePhotoImportRequest, context: Context
    ) -> pb.CompletePhotoImportResponse:
        found = await self._cases.imports.complete(photo_import_key(request.name))
        return pb.CompletePhotoImportResponse(photo_import=imports.import_message(found))

    async def ProposePillars(
        self, request: pb.ProposePillarsRequest, context: Context
    ) -> pb.ProposePillarsResponse:
        persona = persona_id(request.parent, "parent")
        key = request_of(request, "ProposePillars")
        done = await self._cases.filing.propose(persona, key)
        return pb.ProposePillarsResponse(filed=done.filed, waiting=done.waiting)

    async def AcceptProposals(
        self, request: pb.AcceptProposalsRequest, context: Context
    ) -> pb.AcceptProposalsResponse:
        persona = persona_id(request.parent, "parent")
        key = request_of(request, "AcceptProposals")
        if not request.photos:
            filed = await self._cases.filing.accept(persona, request.min_confidence, key)
            return pb.AcceptProposalsResponse(filed=filed)
        outcomes = await self._cases.batches.accept(persona, request.photos, key)
        return pb.AcceptProposalsResponse(
            filed=sum(outcome.problem is None for outcome in outcomes),
            results=map(photos.result_message, outcomes),
        )
