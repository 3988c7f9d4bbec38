"""Rights of photos in memory."""

from services.scheduler.domain.photo import Rights
from tests.support.scheduler_fakes.data import Data


class FakeRights:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def known(self, photo: str) -> Rights:
        return self._data.rights.get(photo, (Rights(), 0))[0]

    async def remembered(self, photo: str, rights: Rights) -> Rights:
        await self.note(photo, rights, 0)
        return await self.known(photo)

    async def note(self, photo: str, rights: Rights, version: int) -> bool:
        if photo in self._data.rights and self._data.rights[photo][1] > version:
            return False
        self._data.rights[photo] = rights, version
        return True
