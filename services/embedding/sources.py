"""Where the bytes of the images in requests come from."""

from functools import partial

from colonnade.embedding.v1.embedding_service_pb2 import ImageSource

from libs.blobs.store import BlobStore
from libs.errors import OutOfQuota
from libs.images import ImageLimits
from services.embedding.model import Blob, Source


class Sources:
    """Finds images in requests and in the blob store; there is no other place to fetch from."""

    def __init__(self, blobs: BlobStore, limits: ImageLimits) -> None:
        self._blobs = blobs
        self._limits = limits

    def of(self, image: ImageSource) -> Source:
        """The image that a request names."""
        if image.WhichOneof("source") == "content":
            return image.content
        return Blob(image.blob_key, partial(self._read, image.blob_key))

    async def _read(self, key: str) -> bytes:
        size = await self._blobs.head(key)
        if size > self._limits.max_bytes:
            raise OutOfQuota(
                f"the image has {size} bytes; the limit is {self._limits.max_bytes}",
                reason="IMAGE_TOO_LARGE",
            )
        return await self._blobs.get(key)
