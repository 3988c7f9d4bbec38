"""Addresses of photos for whoever has no key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.clock import Clock
from libs.errors import NotFound, PermissionDenied
from libs.signing import Signer
from services.catalog.domain.blobs import Rendition
from services.catalog.domain.names import Key, no_photo
from services.catalog.ports import Catalog

DEFAULT_TTL = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """What stands for a photo in an address, and when that ends."""

    photo: Key
    token: str
    expire_time: datetime


class SignedUrlCases:
    """Makes addresses that work for a while, and reads them. Nothing of them is kept: the token
    says which photo, in which form and until when, and is signed."""

    def __init__(self, catalog: Catalog, signer: Signer, clock: Clock) -> None:
        self._catalog = catalog
        self._signer = signer
        self._clock = clock

    async def sign(
        self, persona: str, photos: Sequence[Key], rendition: Rendition, ttl: timedelta
    ) -> list[SignedUrl]:
        """One address a photo of ``persona`` that exists, in the order asked for.

        Raises NotFound for a photo of another persona.
        """
        for photo in photos:
            if photo.persona != persona:
                raise no_photo(*photo)
        async with self._catalog.reading() as catalog:
            there = await catalog.photos.existing(persona, {photo.id for photo in photos})
        ends = self._clock.now() + ttl
        return [self._signed(photo, rendition, ends) for photo in photos if photo.id in there]

    def read(self, token: str) -> tuple[Key, Rendition]:
        """What a token stands for.

        Raises NotFound for one that was not made here, PermissionDenied (URL_EXPIRED).
        """
        try:
            persona, photo, rendition, ends = self._signer.read(token)
        except ValueError:
            text = "this is no address that was made here, or not the whole of one"
            raise NotFound("signed address", "", text) from None
        if self._clock.now().timestamp() >= ends:
            when = datetime.fromtimestamp(ends, UTC)
            raise PermissionDenied(
                f"this address worked until {when:%Y-%m-%d %H:%M} UTC; ask for a new one",
                reason="URL_EXPIRED",
            )
        return Key(persona, photo), Rendition(rendition)

    def _signed(self, photo: Key, rendition: Rendition, ends: datetime) -> SignedUrl:
        token = self._signer.token([photo.persona, photo.id, rendition.value, ends.timestamp()])
        return SignedUrl(photo, token, ends)
