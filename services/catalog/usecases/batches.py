"""Many photos of one persona at once: each is changed or left as it is, and told so."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from libs.clock import Clock
from libs.errors import ColonnadeError
from libs.rpc.requests import RequestKey
from services.catalog.domain.filing import accepted, no_proposal
from services.catalog.domain.names import PHOTO, Key, no_photo, no_pillar, photo_key
from services.catalog.domain.photo import (
    Photo,
    archived,
    filed,
    in_use,
    tagged,
    too_many_tags,
    unarchived,
)
from services.catalog.domain.pillar import Pillar
from services.catalog.ports import Catalog, Changing
from services.catalog.usecases.requests import answered, finish, touched

Change = Callable[[Photo], Photo]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the photo ``name``: how it is now, or the problem that kept it as it was."""

    name: str
    photo: Photo | None = None
    problem: ColonnadeError | None = None


class BatchCases:
    """Changes many photos in one transaction and a handful of statements, however many they are.

    Photos that cannot be changed do not keep the others from it. A request that is sent again gets
    the same outcomes; photos are told as they are by then, and left out if they are gone.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def move(
        self, persona: str, names: Sequence[str], pillar: str, request: RequestKey
    ) -> Sequence[Outcome]:
        """Files photos under a pillar of the persona. Raises NotFound for persona and pillar."""
        return await self._change(persona, names, partial(filed, pillar=pillar), request, pillar)

    async def tag(
        self,
        persona: str,
        names: Sequence[str],
        add: Sequence[str],
        remove: Sequence[str],
        request: RequestKey,
    ) -> Sequence[Outcome]:
        """Gives photos tags and takes others away. Raises NotFound for the persona."""
        change = partial(tagged, add=add, remove=remove)
        return await self._change(persona, names, change, request)

    async def archive(
        self, persona: str, names: Sequence[str], *, back: bool, request: RequestKey
    ) -> Sequence[Outcome]:
        """Puts photos away, or takes them into use again. Raises NotFound for the persona."""
        return await self._change(persona, names, unarchived if back else archived, request)

    async def accept(
        self, persona: str, names: Sequence[str], request: RequestKey
    ) -> Sequence[Outcome]:
        """Settles photos where they are proposed. Raises NotFound for the persona."""
        return await self._change(persona, names, accepted, request, field="photos")

    async def _change(
        self,
        persona: str,
        names: Sequence[str],
        change: Change,
        request: RequestKey,
        pillar: str = "",
        field: str = "names",
    ) -> Sequence[Outcome]:
        keys, problems = _keys(persona, names, field)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                photos = await tx.photos.locked_all(persona, [key.id for key in keys.values()])
                return _outcomes(names, keys, photos, problems | _told(known))
            photos = await tx.photos.locked_all(persona, [key.id for key in keys.values()])
            # After the lock: none of them is under a pillar that is not seen here.
            pillars = {p.id: p for p in (await tx.pillars.strategy(persona)).pillars}
            if pillar and pillar not in pillars:
                raise no_pillar(persona, pillar)
            missing = _missing(keys, photos)
            changed, refused = _changed(photos, change)
            saved = await self._save(tx, photos, changed, pillars)
            await finish(tx, request, _to_tell(missing | refused))
        return _outcomes(names, keys, saved, problems | missing | refused)

    async def _save(
        self,
        tx: Changing,
        before: Mapping[str, Photo],
        after: Mapping[str, Photo],
        pillars: Mapping[str, Pillar],
    ) -> Mapping[str, Photo]:
        now = self._clock.now()
        new = {id: touched(p, now) for id, p in after.items() if p != before[id]}
        await tx.photos.save_all(list(new.values()))
        for photo in new.values():
            tx.photo_events.updated(photo, pillars[photo.pillar])
        return {**before, **new}


def _keys(
    persona: str, names: Sequence[str], field: str
) -> tuple[dict[str, Key], dict[str, ColonnadeError]]:
    """The names that can be those of photos of the persona, and what is wrong with the others."""
    keys: dict[str, Key] = {}
    problems: dict[str, ColonnadeError] = {}
    for number, name in enumerate(names):
        try:
            key = photo_key(name, f"{field}[{number}]")
            if key.persona != persona:
                raise no_photo(*key)
            keys[name] = key
        except ColonnadeError as problem:
            problems[name] = problem
    return keys, problems


def _missing(keys: Mapping[str, Key], photos: Mapping[str, Photo]) -> dict[str, ColonnadeError]:
    return {name: no_photo(*key) for name, key in keys.items() if key.id not in photos}


def _changed(
    photos: Mapping[str, Photo], change: Change
) -> tuple[dict[str, Photo], dict[str, ColonnadeError]]:
    changed: dict[str, Photo] = {}
    refused: dict[str, ColonnadeError] = {}
    for id, photo in photos.items():
        try:
            changed[id] = change(photo)
        except ColonnadeError as problem:
            refused[photo.name] = problem
    return changed, refused


def _outcomes(
    names: Sequence[str],
    keys: Mapping[str, Key],
    photos: Mapping[str, Photo],
    problems: Mapping[str, ColonnadeError],
) -> list[Outcome]:
    return [
        Outcome(name, problem=problems[name])
        if name in problems
        else Outcome(name, photos.get(keys[name].id))
        for name in names
    ]


def _to_tell(problems: Mapping[str, ColonnadeError]) -> str:
    """The problems that depend on what the photos were like, for when the request is repeated."""
    return json.dumps({name: problem.reason for name, problem in problems.items()})


def _told(result: str) -> dict[str, ColonnadeError]:
    make: Mapping[str, Callable[[str], ColonnadeError]] = {
        "NOT_FOUND": lambda name: no_photo(*PHOTO.parse(name)),
        "NO_PROPOSAL": no_proposal,
        "PHOTO_IN_USE": in_use,
        "TOO_MANY_TAGS": too_many_tags,
    }
    return {name: make[reason](name) for name, reason in json.loads(result).items()}
