"""The generations of vectors, as the use cases see them."""

from datetime import timedelta
from typing import Protocol

from libs.lease import Lease
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.generation import Filled, Generation, GenerationState
from services.clustering.domain.item import Collection, Modality


class Collections(Protocol):
    """The vector collections; each is that of one generation."""

    async def get(self, name: str) -> Collection | None:
        """The collection of that name."""

    async def active(self, modality: Modality = Modality.PHOTOS) -> Collection | None:
        """The one that everything uses; None before the first item of that kind is embedded."""

    async def hold(self, name: str) -> bool:
        """Keeps a collection in its state until this transaction ends; False if it was given up."""

    async def names(self) -> list[str]:
        """The names of all, those included that are about to be dropped."""

    async def kept(self, modality: Modality | None = None) -> list[Collection]:
        """Those that are, or may come, into use: of one kind, of any for None."""


class Generations(Protocol):
    """The collections as generations: filled, activated, retired, dropped."""

    async def lock(self) -> None:
        """Has others who change generations wait until this transaction ends."""

    async def add(
        self,
        generation_id: str,
        collection: Collection,
        state: GenerationState,
        epoch: int,
        *,
        automatic: bool = False,
    ) -> bool:
        """Adds one; False if another one is in its way: of that name, active, or being filled.

        From then on, and until this transaction ends, nobody adds items.
        """

    async def enrol(self, collection: Collection, after: str) -> str | None:
        """Has some items of its kind wait for a vector in it that have no place in it yet, by name,
        those after ``after``; answers the last one, None if there were no more."""

    async def get(self, generation_id: str, *, lock: bool = False) -> Generation | None:
        """The generation of that id; nobody changes it after ``lock``."""

    async def of_collection(self, collection: str) -> Generation | None:
        """The generation of a collection."""

    async def active(self, modality: Modality = Modality.PHOTOS) -> Generation | None:
        """The active one of a kind."""

    async def in_states(
        self, *states: GenerationState, modality: Modality = Modality.PHOTOS
    ) -> list[Generation]:
        """Those of a kind in these states, the last retired first, then by age."""

    async def page(self, page: PageRequest) -> Page[Generation]:
        """Generations, newest first."""

    async def filled(self, generations: list[Generation]) -> list[Filled]:
        """How far each of them is filled."""

    async def change(self, generation_id: str, **values: object) -> None:
        """Stores other values of the generation of that id."""

    async def last_epoch(self) -> int:
        """The number of the last switch."""

    async def take(self, generation_id: str, owner: str) -> tuple[Generation, Lease] | None:
        """A generation to fill, now ours; None if it is filled no more or somebody has it."""

    async def renew(self, generation: Generation, lease: Lease, attempt: int) -> Generation:
        """The generation as it stands, ours for longer; stores ``attempt``. Raises LeaseLost."""

    async def give_back(
        self, generation: Generation, lease: Lease, delay: timedelta | None, **values: object
    ) -> None:
        """Ends our work on a generation, with ``values``; nobody else takes it up for ``delay``.

        Raises LeaseLost.
        """

    async def waiting(self) -> list[str]:
        """The ids of those that are to be filled and that nobody has."""

    async def untold(self) -> list[str]:
        """The id of the active one, if others have to be told of photos of it."""

    async def droppable(self) -> list[Generation]:
        """Those that are to be removed and that nobody works on."""

    async def clear(self, collection: str) -> bool:
        """Forgets some of what hangs on a dropped one; whether there was anything."""

    async def remove(self, generation_id: str) -> None:
        """Forgets a dropped one and all that hangs on it."""

    async def sample(self, one: str, other: str, limit: int) -> list[str]:
        """Items with a vector in both collections, the same ones every time."""
