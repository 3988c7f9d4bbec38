"""``colonnade photos``: what changes many photos at once, and tells of each what became of it."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.photo_pb2 import Photo, PhotoResult, UsageRights
from rich.markup import escape
from rich.progress import track

from cli.connection import Suite
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, err, line, print_json, timestamp, when
from cli.run import FAILED, with_suite
from cli.times import moment
from libs.errors import InvalidArgument

_BATCH = 200

Names = Annotated[
    list[str], typer.Argument(help="Names such as personas/nora/photos/…, or ids with --persona.")
]
Persona = Annotated[str, typer.Option(help="The persona, where ids are given and no names.")]
Send = Callable[[Suite, str, Sequence[str]], Awaitable[Any]]


def tag(
    names: Names,
    add: Annotated[list[str] | None, typer.Option(help="Tags to give.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Tags to take away.")] = None,
    persona: Persona = "",
    json: JsonOption = False,
) -> None:
    """Gives photos tags and takes others away."""
    more, less = split_list(add or []), split_list(remove or [])
    if not more and not less:
        raise typer.BadParameter("give --add or --remove")

    async def send(suite: Suite, parent: str, some: Sequence[str]) -> Any:
        request = catalog.BatchTagPhotosRequest(
            parent=parent, names=some, add_tags=more, remove_tags=less
        )
        return await suite.catalog.BatchTagPhotos(request)

    _change(names, persona, send, lambda photo: ", ".join(photo.tags) or "no tags", json)


def move(names: Names, pillar: str, persona: Persona = "", json: JsonOption = False) -> None:
    """Files photos under another pillar of their persona, which settles their filing."""

    async def send(suite: Suite, parent: str, some: Sequence[str]) -> Any:
        to = below(parent, "pillars", pillar)
        request = catalog.BatchMovePhotosRequest(parent=parent, names=some, pillar=to)
        return await suite.catalog.BatchMovePhotos(request)

    _change(names, persona, send, lambda photo: f"is now in {photo.pillar}", json)


def archive(names: Names, persona: Persona = "", json: JsonOption = False) -> None:
    """Puts photos away: they are kept, but counted nowhere and not scheduled."""
    _archive(names, persona, json, back=False)


def unarchive(names: Names, persona: Persona = "", json: JsonOption = False) -> None:
    """Takes photos into use again."""
    _archive(names, persona, json, back=True)


def _archive(names: Sequence[str], persona: str, json: bool, *, back: bool) -> None:
    async def send(suite: Suite, parent: str, some: Sequence[str]) -> Any:
        request = catalog.BatchArchivePhotosRequest(parent=parent, names=some, unarchive=back)
        return await suite.catalog.BatchArchivePhotos(request)

    _change(names, persona, send, lambda _: "in use again" if back else "archived", json)


def rights(
    name: str,
    embargo: Annotated[str, typer.Option(help="Not before: +3d or a time; - for never.")] = "",
    expires: Annotated[str, typer.Option(help="Not after: +90d or a time; - for never.")] = "",
    notice: Annotated[str | None, typer.Option(help="Who holds the rights.")] = None,
    hold: Annotated[
        bool | None, typer.Option("--hold/--release", help="Keep it back, or no more.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Says when a photo may be used. What is not given stays as it is."""
    if not embargo and not expires and notice is None and hold is None:
        raise typer.BadParameter("give --embargo, --expires, --notice, --hold or --release")

    async def work(suite: Suite) -> Photo:
        request = rights_request(name, embargo, expires, notice, hold)
        return await suite.catalog.UpdatePhoto(request)

    photo = with_suite(work)
    print_json(photo) if json else line(f"{photo.name}: {rights_in_words(photo.rights)}")


def rights_request(
    name: str, embargo: str, expires: str, notice: str | None, hold: bool | None
) -> catalog.UpdatePhotoRequest:
    """What is to be changed about a photo's rights. Raises InvalidArgument for a wrong time."""
    now = datetime.now(UTC)
    request = catalog.UpdatePhotoRequest(photo=Photo(name=name))
    changed, paths = request.photo.rights, request.update_mask.paths
    for option, field, text in (
        ("embargo", "embargo_time", embargo),
        ("expires", "expire_time", expires),
    ):
        if text:
            paths.append(f"rights.{field}")
        if text and text != "-":
            getattr(changed, field).CopyFrom(timestamp(moment(text, now, option)))
    if notice is not None:
        paths.append("rights.notice")
        changed.notice = notice
    if hold is not None:
        paths.append("rights.held")
        changed.held = hold
    return request


def rights_in_words(rights: UsageRights) -> str:
    """When a photo may be used, for people."""
    parts = [
        "held back" if rights.held else "",
        f"not before {when(rights.embargo_time)}" if rights.HasField("embargo_time") else "",
        f"not after {when(rights.expire_time)}" if rights.HasField("expire_time") else "",
        escape(rights.notice),
    ]
    return ", ".join(part for part in parts if part) or "free to use"


def analyze(
    persona: str,
    names: Annotated[
        list[str] | None, typer.Argument(help="Photos; without any, all that something failed on.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="sharpness, exposure, resolution, colourfulness, caption."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measures photos again, in the background: what failed on them, or what is named."""
    parent = persona_name(persona)
    photos = [below(parent, "photos", name) for name in names or []]
    measures = split_list(measure or [])

    async def work(suite: Suite) -> int:
        count = 0
        for some in [photos[n : n + _BATCH] for n in range(0, len(photos), _BATCH)] or [[]]:
            request = catalog.AnalyzePhotosRequest(parent=parent, names=some, measures=measures)
            count += (await suite.catalog.AnalyzePhotos(request)).photos
        return count

    count = with_suite(work)
    if json:
        return print_json({"photos": count})
    line(f"{count} photo{'' if count == 1 else 's'} will be measured again")
    return None


def _change(
    names: Sequence[str], persona: str, send: Send, done: Callable[[Photo], str], json: bool
) -> None:
    """Sends the names in batches, tells a line of each, and exits with 1 if any failed."""

    async def work(suite: Suite) -> list[PhotoResult]:
        results: list[PhotoResult] = []
        batches = list(batches_of(names, persona))
        quiet = json or len(batches) == 1
        for parent, some in track(batches, "changing", console=err, disable=quiet):
            results.extend((await send(suite, parent, some)).results)
        return results

    results = with_suite(work)
    if json:
        print_json(results)
    else:
        for result in results:
            line(_told(result, done))
    if any(result.status.code for result in results):
        raise typer.Exit(FAILED)


def _told(result: PhotoResult, done: Callable[[Photo], str]) -> str:
    if result.status.code:
        return f"[red]{escape(result.name)}[/red]: {escape(result.status.message)}"
    return f"{result.name} {escape(done(result.photo))}"


def batches_of(names: Iterable[str], persona: str) -> Iterator[tuple[str, list[str]]]:
    """The names by their personas, each once, so many at a time as a request may have.

    Raises InvalidArgument for an id without a persona.
    """
    by_parent: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        full = below(persona_name(persona), "photos", name) if persona else name
        if not full.startswith("personas/"):
            raise InvalidArgument.of(
                "names", f"{name!r} is no name of a photo; give --persona with ids"
            )
        by_parent.setdefault("/".join(full.split("/")[:2]), []).append(full)
    for parent, all_names in by_parent.items():
        for start in range(0, len(all_names), _BATCH):
            yield parent, all_names[start : start + _BATCH]
