"""The gRPC face of the library: personas, pillars, photos."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import persona_pb2, photo_pb2, pillar_pb2
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceServicer
from google.protobuf.empty_pb2 import Empty

from libs.clock import Clock
from libs.names import id_from_title
from libs.rpc.masks import merged
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.catalog import filters
from services.catalog.chunks import UploadStream
from services.catalog.convert import gaps, personas, photos, pillars
from services.catalog.convert.values import moment
from services.catalog.domain.blobs import Rendition
from services.catalog.domain.names import (
    LIBRARY_STATS,
    persona_id,
    photo_key,
    pillar_key,
    pillar_of,
)
from services.catalog.domain.persona import LibraryStats, Persona
from services.catalog.domain.photo import Photo
from services.catalog.domain.pillar import Pillar
from services.catalog.ports import Listing
from services.catalog.usecases.all import UseCases
from services.catalog.usecases.signed_urls import DEFAULT_TTL

Context = grpc.aio.ServicerContext[Any, Any]

_RENDITIONS = {
    pb.ReadPhotoMediaRequest.RENDITION_UNSPECIFIED: Rendition.ORIGINAL,
    pb.ReadPhotoMediaRequest.RENDITION_ORIGINAL: Rendition.ORIGINAL,
    pb.ReadPhotoMediaRequest.RENDITION_THUMBNAIL: Rendition.THUMBNAIL,
    pb.ReadPhotoMediaRequest.RENDITION_PUBLISH: Rendition.PUBLISH,
}


class CatalogServicer(CatalogServiceServicer):
    """``colonnade.catalog.v1.CatalogService``. ``max_upload`` is in bytes."""

    def __init__(self, cases: UseCases, tokens: PageTokens, clock: Clock, max_upload: int) -> None:
        self._cases = cases
        self._tokens = tokens
        self._clock = clock
        self._max_upload = max_upload

    async def CreatePersona(
        self, request: pb.CreatePersonaRequest, context: Context
    ) -> persona_pb2.Persona:
        id = request.persona_id or id_from_title(request.persona.display_name, "persona_id")
        persona = personas.new_persona(request.persona, id, self._clock.now())
        key = request_of(request, "CreatePersona")
        return personas.persona_message(await self._cases.personas.create(persona, key))

    async def GetPersona(
        self, request: pb.GetPersonaRequest, context: Context
    ) -> persona_pb2.Persona:
        return personas.persona_message(await self._cases.personas.get(persona_id(request.name)))

    async def ListPersonas(
        self, request: pb.ListPersonasRequest, context: Context
    ) -> pb.ListPersonasResponse:
        listing = ("ListPersonas", request.filter)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        conditions = filters.persona_conditions(request.filter)
        page = await self._cases.personas.page(Listing(wanted, conditions))
        stats: Sequence[LibraryStats] = ()
        if request.include_stats:
            stats = await self._cases.personas.stats_of([persona.id for persona in page.rows])
        return pb.ListPersonasResponse(
            personas=map(personas.persona_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
            stats=[
                personas.stats_message(persona.id, counts)
                for persona, counts in zip(page.rows, stats, strict=False)
            ],
        )

    async def UpdatePersona(
        self, request: pb.UpdatePersonaRequest, context: Context
    ) -> persona_pb2.Persona:
        def change(persona: Persona) -> Persona:
            current = personas.persona_message(persona)
            message = merged(current, request.persona, request.update_mask, "persona")
            return personas.with_fields(persona, message)

        id = persona_id(request.persona.name, "persona.name")
        key = request_of(request, "UpdatePersona")
        return personas.persona_message(
            await self._cases.personas.update(id, change, request.persona.etag, key)
        )

    async def ArchivePersona(
        self, request: pb.ArchivePersonaRequest, context: Context
    ) -> pb.ArchivePersonaResponse:
        key = request_of(request, "ArchivePersona")
        persona = await self._cases.personas.archive(persona_id(request.name), key)
        return pb.ArchivePersonaResponse(persona=personas.persona_message(persona))

    async def DeletePersona(self, request: pb.DeletePersonaRequest, context: Context) -> Empty:
        key = request_of(request, "DeletePersona")
        await self._cases.personas.delete(persona_id(request.name), request.etag, key)
        return Empty()

    async def GetLibraryStats(
        self, request: pb.GetLibraryStatsRequest, context: Context
    ) -> persona_pb2.LibraryStats:
        (persona,) = LIBRARY_STATS.parse(request.name)
        return personas.stats_message(persona, await self._cases.personas.stats(persona))

    async def CreatePillar(
        self, request: pb.CreatePillarRequest, context: Context
    ) -> pillar_pb2.Pillar:
        persona = persona_id(request.parent, "parent")
        id = request.pillar_id or id_from_title(request.pillar.display_name, "pillar_id")
        pillar = pillars.new_pillar(request.pillar, persona, id, self._clock.now())
        key = request_of(request, "CreatePillar")
        return pillars.pillar_message(await self._cases.pillars.create(pillar, key))

    async def GetPillar(self, request: pb.GetPillarRequest, context: Context) -> pillar_pb2.Pillar:
        return pillars.pillar_message(await self._cases.pillars.get(pillar_key(request.name)))

    async def ListPillars(
        self, request: pb.ListPillarsRequest, context: Context
    ) -> pb.ListPillarsResponse:
        listing = ("ListPillars", request.parent, request.filter)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        conditions = filters.pillar_conditions(request.filter)
        persona = persona_id(request.parent, "parent")
        page = await self._cases.pillars.page(persona, Listing(wanted, conditions))
        return pb.ListPillarsResponse(
            pillars=map(pillars.pillar_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def UpdatePillar(
        self, request: pb.UpdatePillarRequest, context: Context
    ) -> pillar_pb2.Pillar:
        def change(pillar: Pillar) -> Pillar:
            current = pillars.pillar_message(pillar)
            message = merged(current, request.pillar, request.update_mask, "pillar")
            return pillars.with_fields(pillar, message)

        name = pillar_key(request.pillar.name, "pillar.name")
        key = request_of(request, "UpdatePillar")
        return pillars.pillar_message(
            await self._cases.pillars.update(name, change, request.pillar.etag, key)
        )

    async def DeletePillar(self, request: pb.DeletePillarRequest, context: Context) -> Empty:
        key = request_of(request, "DeletePillar")
        await self._cases.pillars.delete(pillar_key(request.name), request.etag, key)
        return Empty()

    async def UploadPhoto(
        self, requests: AsyncIterator[pb.UploadPhotoRequest], context: Context
    ) -> pb.UploadPhotoResponse:
        stream = UploadStream(requests)
        async with stream.heard_out(self._max_upload):
            upload = photos.upload_of(await stream.header())
            received = await self._cases.uploads.receive(upload, stream.chunks())
        return photos.received_message(received)

    async def GetPhoto(self, request: pb.GetPhotoRequest, context: Context) -> photo_pb2.Photo:
        return photos.photo_message(await self._cases.photos.get(photo_key(request.name)))

    async def ListPhotos(
        self, request: pb.ListPhotosRequest, context: Context
    ) -> pb.ListPhotosResponse:
        listing = ("ListPhotos", request.parent, request.filter, request.order_by)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        conditions = filters.photo_conditions(request.filter, persona)
        order, descending = filters.photo_order(request.order_by)
        rows = Listing(wanted, conditions, descending, order)
        page = await self._cases.photos.page(persona, rows)
        return pb.ListPhotosResponse(
            photos=map(photos.photo_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def UpdatePhoto(
        self, request: pb.UpdatePhotoRequest, context: Context
    ) -> photo_pb2.Photo:
        def change(photo: Photo) -> Photo:
            current = photos.photo_message(photo)
            message = merged(current, request.photo, request.update_mask, "photo")
            return photos.with_fields(photo, message)

        name = photo_key(request.photo.name, "photo.name")
        key = request_of(request, "UpdatePhoto")
        return photos.photo_message(
            await self._cases.photos.update(name, change, request.photo.etag, key)
        )

    async def MovePhoto(
        self, request: pb.MovePhotoRequest, context: Context
    ) -> pb.MovePhotoResponse:
        name = photo_key(request.name)
        pillar = pillar_of(name.persona, request.pillar, "pillar")
        photo = await self._cases.photos.move(name, pillar, request_of(request, "MovePhoto"))
        return pb.MovePhotoResponse(photo=photos.photo_message(photo))

    async def DeletePhoto(self, request: pb.DeletePhotoRequest, context: Context) -> Empty:
        key = request_of(request, "DeletePhoto")
        await self._cases.photos.delete(photo_key(request.name), request.etag, key)
        return Empty()

    async def ArchivePhoto(
        self, request: pb.ArchivePhotoRequest, context: Context
    ) -> pb.ArchivePhotoResponse:
        name, key = photo_key(request.name), request_of(request, "ArchivePhoto")
        photo = await self._cases.photos.archive(name, request.etag, key)
        return pb.ArchivePhotoResponse(photo=photos.photo_message(photo))

    async def UnarchivePhoto(
        self, request: pb.UnarchivePhotoRequest, context: Context
    ) -> pb.UnarchivePhotoResponse:
        name, key = photo_key(request.name), request_of(request, "UnarchivePhoto")
        photo = await self._cases.photos.unarchive(name, request.etag, key)
        return pb.UnarchivePhotoResponse(photo=photos.photo_message(photo))

    async def BatchMovePhotos(
        self, request: pb.BatchMovePhotosRequest, context: Context
    ) -> pb.BatchMovePhotosResponse:
        persona = persona_id(request.parent, "parent")
        pillar = pillar_of(persona, request.pillar, "pillar")
        key = request_of(request, "BatchMovePhotos")
        outcomes = await self._cases.batches.move(persona, request.names, pillar, key)
        return pb.BatchMovePhotosResponse(results=map(photos.result_message, outcomes))

    async def BatchTagPhotos(
        self, request: pb.BatchTagPhotosRequest, context: Context
    ) -> pb.BatchTagPhotosResponse:
        persona = persona_id(request.parent, "parent")
        key = request_of(request, "BatchTagPhotos")
        outcomes = await self._cases.batches.tag(
            persona, request.names, request.add_tags, request.remove_tags, key
        )
        return pb.BatchTagPhotosResponse(results=map(photos.result_message, outcomes))

    async def BatchArchivePhotos(
        self, request: pb.BatchArchivePhotosRequest, context: Context
    ) -> pb.BatchArchivePhotosResponse:
        persona = persona_id(request.parent, "parent")
        key = request_of(request, "BatchArchivePhotos")
        outcomes = await self._cases.batches.archive(
            persona, request.names, back=request.unarchive, request=key
        )
        return pb.BatchArchivePhotosResponse(results=map(photos.result_message, outcomes))

    async def AnalyzePhotos(
        self, request: pb.AnalyzePhotosRequest, context: Context
    ) -> pb.AnalyzePhotosResponse:
        persona = persona_id(request.parent, "parent")
        keys = [photo_key(name, f"names[{n}]") for n, name in enumerate(request.names)]
        key = request_of(request, "AnalyzePhotos")
        count = await self._cases.analysis.ask(persona, keys, request.measures, key)
        return pb.AnalyzePhotosResponse(photos=count)

    async def ListPhotoTags(
        self, request: pb.ListPhotoTagsRequest, context: Context
    ) -> pb.ListPhotoTagsResponse:
        listing = ("ListPhotoTags", request.parent, request.prefix)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        page = await self._cases.photos.tags(persona, request.prefix, wanted)
        return pb.ListPhotoTagsResponse(
            photo_tags=map(photos.tag_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def ReadPhotoMedia(
        self, request: pb.ReadPhotoMediaRequest, context: Context
    ) -> AsyncIterator[pb.ReadPhotoMediaResponse]:
        media = await self._cases.media.read(
            photo_key(request.name), _RENDITIONS[request.rendition], request.offset, request.length
        )
        yield photos.media_info(media)
        async for chunk in media.chunks:
            yield pb.ReadPhotoMediaResponse(chunk=chunk)

    async def SignPhotoUrls(
        self, request: pb.SignPhotoUrlsRequest, context: Context
    ) -> pb.SignPhotoUrlsResponse:
        urls = await self._cases.signed_urls.sign(
            persona_id(request.parent, "parent"),
            [photo_key(name, f"names[{n}]") for n, name in enumerate(request.names)],
            _RENDITIONS[request.rendition],
            request.ttl.ToTimedelta() if request.HasField("ttl") else DEFAULT_TTL,
        )
        return pb.SignPhotoUrlsResponse(urls=map(photos.signed_url_message, urls))

    async def ReadSignedPhotoMedia(
        self, request: pb.ReadSignedPhotoMediaRequest, context: Context
    ) -> AsyncIterator[pb.ReadSignedPhotoMediaResponse]:
        key, rendition = self._cases.signed_urls.read(request.token)
        media = await self._cases.media.read(key, rendition, request.offset, request.length)
        yield photos.signed_media_info(media)
        async for chunk in media.chunks:
            yield pb.ReadSignedPhotoMediaResponse(chunk=chunk)

    async def AnalyzeGaps(
        self, request: pb.AnalyzeGapsRequest, context: Context
    ) -> pb.AnalyzeGapsResponse:
        persona = persona_id(request.parent, "parent")
        as_of = moment(request, "as_of_time", "as_of_time")
        key = request_of(request, "AnalyzeGaps")
        report = await self._cases.gaps.analyze(persona, as_of, request.horizon_days, key)
        return pb.AnalyzeGapsResponse(gap_report=gaps.report_message(report))
