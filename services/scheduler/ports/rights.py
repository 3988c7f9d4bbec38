"""What is known of photos when the catalog cannot be asked."""

from typing import Protocol

from services.scheduler.domain.photo import Rights


class PhotoRights(Protocol):
    """What is known of photos' rights, for whenever the catalog cannot be asked."""

    async def known(self, photo: str) -> Rights:
        """The rights of a photo; none that forbid anything if nothing was told."""

    async def remembered(self, photo: str, rights: Rights) -> Rights:
        """Keeps what the catalog answered, unless an event told more; answers what is known, which
        nobody changes until the end of the transaction."""

    async def note(self, photo: str, rights: Rights, version: int) -> bool:
        """Keeps what an event told, and answers True, unless something newer is known."""
