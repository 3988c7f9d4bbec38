"""Where a photo came from and where it went, in one answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.errors import NotFound
from services.catalog.domain.candidate import Candidate
from services.catalog.domain.names import POST, Key
from services.catalog.domain.photo import Photo
from services.catalog.domain.run import Run
from services.catalog.domain.suggestion import Suggestion
from services.catalog.domain.vote import Vote
from services.catalog.ports import Catalog, Reading

_CANDIDATES = 50
_VOTES = 200


@dataclass(frozen=True, slots=True)
class Chain:
    """Suggestion, run, candidates, votes, photo, as far as there are any.

    ``candidate_count`` and ``vote_count`` are of all; a vote that was taken back does not count.
    ``scored``: scores may be seen.
    """

    suggestion: Suggestion | None = None
    run: Run | None = None
    candidates: Sequence[Candidate] = ()
    candidate_count: int = 0
    votes: Sequence[Vote] = ()
    vote_count: int = 0
    photo: Photo | None = None
    scored: bool = False


class LineageCases:
    """Tells what came of what."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def of_run(self, key: Key) -> Chain:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            run = await catalog.runs.get(key)
            photo = None
            if run.photo:
                photo = await catalog.photos.get(Key(run.persona, run.photo))
            return await _chain(catalog, run, photo)

    async def of_photo(self, key: Key) -> Chain:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await _before(catalog, await catalog.photos.get(key))

    async def of_post(self, key: Key) -> Chain:
        """Raises NotFound for a post that is not known to use a photo."""
        async with self._catalog.reading() as catalog:
            photo = await catalog.photos.of_post(key.persona, POST.format(*key))
            if photo is None:
                raise NotFound("post", POST.format(*key))
            return await _before(catalog, photo)


async def _before(catalog: Reading, photo: Photo) -> Chain:
    run = await catalog.runs.of_photo(Key(photo.persona, photo.id))
    return Chain(photo=photo) if run is None else await _chain(catalog, run, photo)


async def _chain(catalog: Reading, run: Run, photo: Photo | None) -> Chain:
    suggestion = None
    if run.suggestion:
        suggestion = await catalog.suggestions.get(Key(run.persona, run.suggestion))
    scored = run.closed
    candidates, in_all = await catalog.candidates.best(run.key, _CANDIDATES, by_score=scored)
    votes, counting = await catalog.votes.recent(run.key, _VOTES)
    return Chain(suggestion, run, candidates, in_all, votes, counting, photo, scored)
