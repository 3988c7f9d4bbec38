"""A catalog in memory."""

from zoneinfo import ZoneInfo

from libs.errors import NotFound, Unavailable
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.slots import Cadence
from services.scheduler.ports import CatalogPage, CatalogPhoto, Rendition, UnusedPhotos


class OnePhotoCatalog:
    """A catalog with one photo, unless it ``is_down`` or the photo ``is_gone``."""

    def __init__(self, photo: Photo) -> None:
        self._photo = photo
        self.is_down = False
        self.is_gone = False

    async def check_persona(self, persona: str) -> None:
        self._check()

    async def photo(self, name: str) -> Photo:
        self._check()
        return self._photo

    async def cadence(self, persona: str) -> Cadence:
        self._check()
        return Cadence(ZoneInfo("UTC"))

    async def unused(self, wanted: UnusedPhotos, size: int, token: str) -> CatalogPage:
        self._check()
        return CatalogPage([CatalogPhoto(self._photo.name, b"")], "")

    async def rendition(self, name: str) -> Rendition:
        self._check()
        return Rendition("image/jpeg", 40, 30, b"a picture")

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable("the catalog is away")
        if self.is_gone:
            raise NotFound("photo", self._photo.name)
