"""What is known of photos that show the same picture."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.scheduler.domain.names import Key
from services.scheduler.domain.repeat import Appearance, Likeness


class PhotoCopies(Protocol):
    """Which photos are copies of each other, and where those were seen."""

    async def lock(self, persona: str, photos: Collection[str]) -> None:
        """Until the end of the transaction nobody else schedules photos of the persona that have
        copies, if any of these has some: of two copies at once, one must see the other.

        A lock for each photo would have to be taken in one order by whoever schedules many. What is
        not known to have copies waits for nobody; if it has some after all, that shows before it
        goes out. Taken behind channels and before posts.
        """

    async def note(self, photo: str, copies: Mapping[str, Likeness], version: int) -> bool:
        """Keeps all that a photo is a copy of, and answers True, unless something newer is known.

        Copies that are deleted are not forgotten: what went out with them was seen.
        """

    async def forget(self, photo: str) -> None:
        """Forgets what a deleted photo is a copy of, but not what is a copy of it."""

    async def of(self, photos: Collection[str]) -> Mapping[str, Collection[str]]:
        """The copies of those of the photos that have some."""

    async def seen(
        self, photos: Collection[str], channels: Collection[Key]
    ) -> Sequence[Appearance]:
        """Copies of the photos on these channels, at whatever time; of one persona."""
