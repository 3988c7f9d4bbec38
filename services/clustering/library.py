"""The catalog, as the use cases see it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.photo_pb2 import Photo, PhotoMeasure

from services.clustering.domain.facts import usage_of_post
from services.clustering.ports import Description

_PAGE = 200


class RpcLibrary:
    """See ports.Library."""

    def __init__(self, stub: CatalogServiceStub) -> None:
        self._stub = stub

    async def facts(self, scope: str) -> AsyncIterator[Sequence[Description]]:
        request = catalog.ListPhotosRequest(parent=scope, page_size=_PAGE, filter='state = "*"')
        while True:
            page = await self._stub.ListPhotos(request)
            yield [_description(photo) for photo in page.photos]
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def _description(photo: Photo) -> Description:
    measures = photo.analysis.measures
    measured = {m.id: m.value for m in measures if m.state == PhotoMeasure.STATE_READY}
    texts = (photo.caption, photo.alt_text, *(measure.text for measure in measures))
    return Description(
        photo=photo.name,
        pillar=photo.pillar,
        tags=tuple(photo.tags),
        archived=photo.state == Photo.STATE_ARCHIVED,
        time=photo.update_time.ToDatetime(UTC),
        uses={
            use.post: usage_of_post(use.state, posted=use.HasField("posted_time"))
            for use in photo.posts
        },
        texts=tuple(dict.fromkeys(text for text in texts if text)),
        sharpness=measured.get("sharpness"),
        exposure=measured.get("exposure"),
    )
