"""``colonnade inbox``: photos whose pillar is not sure, to be sorted in bulk."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import import_service_pb2 as imports
from colonnade.catalog.v1.photo_pb2 import Photo, PhotoResult
from rich.markup import escape
from typer.core import TyperGroup

from cli.connection import Suite
from cli.names import below, persona_name
from cli.output import JsonOption, err, last_part, line, print_json, table
from cli.photos import some_photos
from cli.run import FAILED, with_suite
from libs.errors import NotFound

_WAITING = 'filing.state = "REVIEW"'
_AT_MOST = 10_000
_BATCH = 200

Photos = Annotated[
    list[str], typer.Argument(help="File names, paths or patterns such as 'beach/*', or names.")
]


class _ListByDefault(TyperGroup):
    """``colonnade inbox nora`` lists the inbox of nora."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListByDefault,
    help="Photos that came without a pillar and were not surely filed. `inbox PERSONA` lists them.",
    no_args_is_help=True,
)


@app.command("list")
def show(
    persona: str,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists the photos that wait, the surest proposals first."""
    parent = persona_name(persona)
    waiting = with_suite(lambda suite: _waiting(suite, parent))
    if json:
        return print_json(waiting[:limit])
    if not waiting:
        return line("the inbox is empty")
    rows = [(*_proposal(p), f"{_path(p)}\n{p.filing.reason}") for p in waiting[:limit]]
    table(f"Inbox of {parent}", ("#sure", "pillar", "photo, and why"), rows)
    if len(waiting) > limit:
        line(f"… and {len(waiting) - limit} more; --limit shows them")
    short = last_part(parent)
    line(f"[dim]colonnade inbox accept {short} --min-confidence 0.5[/dim]")
    line(f"[dim]colonnade inbox move {short} PILLAR 'folder/*' more.jpg[/dim]")
    return None


@app.command()
def accept(
    persona: str,
    photos: Photos = [],  # noqa: B006  # Typer takes no other form, and nobody changes it
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Without photos: how sure a proposal must be.")
    ] = 0.5,
    json: JsonOption = False,
) -> None:
    """Files photos where they are proposed: those named, or all that are sure enough."""
    parent = persona_name(persona)

    async def work(suite: Suite) -> imports.AcceptProposalsResponse:
        whole = imports.AcceptProposalsResponse()
        requests = [
            imports.AcceptProposalsRequest(parent=parent, photos=names)
            for names in _batches(await _named(suite, parent, photos))
        ]
        if not photos:
            everything = imports.AcceptProposalsRequest(
                parent=parent, min_confidence=min_confidence
            )
            requests = [everything]
        for request in requests:
            answer = await suite.imports.AcceptProposals(request)
            whole.filed += answer.filed
            whole.results.extend(answer.results)
        return whole

    done = with_suite(work)
    print_json(done) if json else line(f"filed [bold]{done.filed}[/bold] photos")
    _complain(done.results)


@app.command()
def move(persona: str, pillar: str, photos: Photos, json: JsonOption = False) -> None:
    """Files photos under a pillar, and then what is like them, if that is sure now."""
    parent = persona_name(persona)
    target = below(parent, "pillars", pillar)

    async def work(
        suite: Suite,
    ) -> tuple[catalog.BatchMovePhotosResponse, imports.ProposePillarsResponse]:
        moved = catalog.BatchMovePhotosResponse()
        for names in _batches(await _named(suite, parent, photos)):
            request = catalog.BatchMovePhotosRequest(parent=parent, names=names, pillar=target)
            moved.results.extend((await suite.catalog.BatchMovePhotos(request)).results)
        return moved, await _propose(suite, parent)

    moved, proposed = with_suite(work)
    if json:
        print_json([moved, proposed])
    else:
        good = sum(result.status.code == 0 for result in moved.results)
        line(f"moved [bold]{good}[/bold] photos to [bold]{escape(target)}[/bold]")
        _tell(proposed)
    _complain(moved.results)


@app.command()
def propose(persona: str, json: JsonOption = False) -> None:
    """Looks at the inbox again, by what the pillars hold now, and files what is sure."""
    done = with_suite(lambda suite: _propose(suite, persona_name(persona)))
    print_json(done) if json else _tell(done)


async def _propose(suite: Suite, parent: str) -> imports.ProposePillarsResponse:
    return await suite.imports.ProposePillars(imports.ProposePillarsRequest(parent=parent))


def _tell(done: imports.ProposePillarsResponse) -> None:
    line(f"filed [bold]{done.filed}[/bold] by what they are like, {done.waiting} wait in the inbox")


async def _waiting(suite: Suite, parent: str) -> list[Photo]:
    found = await some_photos(suite, parent, _WAITING, _AT_MOST)
    return sorted(found, key=lambda p: (-p.filing.confidence, _path(p)))


async def _named(suite: Suite, parent: str, wanted: Sequence[str]) -> list[str]:
    """The names of the photos that people mean. Raises NotFound for what fits nothing."""
    plain = [text for text in wanted if text.startswith("personas/")]
    patterns = [text for text in wanted if text not in plain]
    found = dict.fromkeys(plain)
    waiting = await _waiting(suite, parent) if patterns else []
    for pattern in patterns:
        names = [p.name for p in waiting if _fits(p, pattern)]
        if not names:
            raise NotFound("photo", pattern, f"nothing in the inbox is called {pattern}")
        found |= dict.fromkeys(names)
    return list(found)


def _fits(photo: Photo, pattern: str) -> bool:
    texts = (photo.source_path, photo.file_name, last_part(photo.name))
    return any(fnmatchcase(text, pattern) for text in texts)


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _BATCH):
        yield names[start : start + _BATCH]


def _path(photo: Photo) -> str:
    return str(photo.source_path or photo.file_name or last_part(photo.name))


def _proposal(photo: Photo) -> tuple[str, str]:
    """How sure the proposals are, the best first, and their pillars; dashes where there is none."""
    filing = photo.filing
    if not filing.confidence:
        return "-", "-"
    found = [(filing.confidence, photo.pillar)]
    found += [(other.confidence, other.pillar) for other in filing.alternatives]
    sure = [f"{confidence:.0%}" for confidence, _ in found]
    return "\n".join(sure), "\n".join(last_part(pillar) for _, pillar in found)


def _complain(results: Sequence[PhotoResult]) -> None:
    """Names what was not done, and ends the command with a failure if there is any."""
    bad = [result for result in results if result.status.code]
    for result in bad:
        err.print(f"  {result.name}: {result.status.message}", markup=False)
    if bad:
        raise typer.Exit(FAILED)
