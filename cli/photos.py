"""``colonnade photos``."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.photo_pb2 import Filing, Photo, PhotoEmbedding, PhotoMeasure
from colonnade.clustering.v1 import clustering_service_pb2 as clustering

from cli.connection import Suite
from cli.file_names import file_names
from cli.importing import import_photos
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, last_part, line, out, print_json, table, when, word
from cli.photo_changes import analyze, archive, move, rights, rights_in_words, tag, unarchive
from cli.photo_urls import url
from cli.run import with_suite

app = typer.Typer(help="The photos of a persona.", no_args_is_help=True)

app.command("import")(import_photos)


for change in (tag, move, archive, unarchive, rights, analyze, url):
    app.command()(change)


class Order(StrEnum):
    """Which photos come first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    BEST = "best"


_ORDERS = {
    Order.NEWEST: "create_time desc",
    Order.OLDEST: "create_time",
    Order.BEST: "quality desc",
}


class UsageOption(StrEnum):
    """Whether posts use photos."""

    UNUSED = "unused"
    SCHEDULED = "scheduled"
    POSTED = "posted"


class StateOption(StrEnum):
    """Whether photos are in use."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    ALL = "all"


@app.command("list")
def list_photos(
    persona: str,
    pillar: Annotated[str, typer.Option(help="Only of this pillar.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Only with all of these tags.")] = None,
    any: Annotated[bool, typer.Option("--any", help="One of the tags is enough.")] = False,
    usage: Annotated[UsageOption | None, typer.Option(help="Only used so by posts.")] = None,
    state: Annotated[StateOption, typer.Option(help="In use or not.")] = StateOption.ACTIVE,
    filter: Annotated[str, typer.Option(help='More, such as embedding.state = "READY".')] = "",
    order: Annotated[Order, typer.Option(help="Which come first.")] = Order.NEWEST,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists photos."""
    parent = persona_name(persona)
    tags = split_list(tag or [])
    conditions = [
        condition("pillar", [below(parent, "pillars", pillar)] if pillar else []),
        *([condition("tag", tags)] if any else [condition("tag", [one]) for one in tags]),
        condition("usage", [usage.upper()] if usage else []),
        condition("state", ["*" if state is StateOption.ALL else state.upper()]),
        filter,
    ]
    wanted = " AND ".join(part for part in conditions if part)
    photos = with_suite(lambda suite: some_photos(suite, parent, wanted, limit, _ORDERS[order]))
    if json:
        return print_json(photos)
    table(
        f"Photos of {parent}",
        ("photo", "pillar", "#quality", "usage"),
        [
            (
                f"{p.file_name}\n{last_part(p.name)}",
                last_part(p.pillar),
                f"{p.quality:.2f}" if p.HasField("quality") else "-",
                "archived" if p.state == Photo.STATE_ARCHIVED else word(Photo.Usage, p.usage),
            )
            for p in photos
        ],
        whole="photo",
    )
    return None


def condition(field: str, values: Sequence[str]) -> str:
    """The part of a filter that asks for one of the values; nothing if there are none."""
    parts = [f"{field} = {quoted(value)}" for value in values]
    return f"({' OR '.join(parts)})" if len(parts) > 1 else "".join(parts)


def quoted(text: str) -> str:
    """A text as a filter has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def some_photos(
    suite: Suite, parent: str, filter: str, limit: int, order: str = ""
) -> list[Photo]:
    """Up to ``limit`` photos of a persona, page by page."""
    found: list[Photo] = []
    token = ""
    while len(found) < limit:
        request = catalog.ListPhotosRequest(
            parent=parent,
            page_size=min(200, limit - len(found)),
            page_token=token,
            filter=filter,
            order_by=order,
        )
        page = await suite.catalog.ListPhotos(request)
        found.extend(page.photos)
        token = page.next_page_token
        if not token:
            break
    return found


@app.command()
def show(photo: str, json: JsonOption = False) -> None:
    """Shows a photo, by its name personas/…/photos/…"""
    found = with_suite(lambda suite: suite.catalog.GetPhoto(catalog.GetPhotoRequest(name=photo)))
    if json:
        return print_json(found)
    line(f"[bold]{found.name}[/bold]")
    rows = (
        ("file", found.source_path or found.file_name),
        ("pillar", found.pillar),
        ("filing", _filing(found.filing)),
        ("picture", f"{found.width}x{found.height}, {found.mime_type}, {found.size_bytes} bytes"),
        ("sha256", found.sha256),
        ("taken", when(found.taken_time)),
        ("imported", when(found.create_time)),
        ("tags", ", ".join(found.tags) or "-"),
        ("state", word(Photo.State, found.state)),
        ("usage", word(Photo.Usage, found.usage)),
        *(("post", f"{post.post} ({post.state.lower()})") for post in found.posts),
        ("rights", rights_in_words(found.rights)),
        ("quality", f"{found.quality:.2f}" if found.HasField("quality") else "-"),
        *((f"  {measure.id}", _measure(measure)) for measure in found.analysis.measures),
        ("embedding", _embedding(found.embedding)),
        ("thumbnail", found.thumbnail_uri),
    )
    for label, value in rows:
        out.print(f"  {label:<16} {value}", markup=False)
    return None


def _filing(filing: Filing) -> str:
    sure = f" ({filing.confidence:.0%} sure)" if filing.confidence else ""
    return word(Filing.State, filing.state) + sure


def _measure(measure: PhotoMeasure) -> str:
    if measure.state == PhotoMeasure.STATE_READY:
        return measure.text or f"{measure.value:.2f}"
    state = word(PhotoMeasure.State, measure.state)
    return f"{state}: {measure.error.message}" if measure.error.message else state


def _embedding(embedding: PhotoEmbedding) -> str:
    state = word(PhotoEmbedding.State, embedding.state)
    if embedding.state == PhotoEmbedding.STATE_READY:
        return f"{state} ({embedding.model}, {embedding.revision})"
    return f"{state}: {embedding.error.message}" if embedding.error.message else state


@app.command()
def similar(
    photo: str,
    limit: Annotated[int, typer.Option(help="How many to find, 1 to 100.")] = 10,
    json: JsonOption = False,
) -> None:
    """Finds the photos that are most similar to one."""
    parent = "/".join(photo.split("/")[:2])
    request = clustering.SearchSimilarRequest(parent=parent, item=photo, limit=limit)

    async def work(suite: Suite) -> tuple[clustering.SearchSimilarResponse, dict[str, str]]:
        answer = await suite.clustering.SearchSimilar(request)
        photos = [] if json else [item.item for item in answer.items]
        return answer, await file_names(suite, photos)

    answer, files = with_suite(work)
    if json:
        return print_json(answer)
    rows = [(f"{item.score:.3f}", f"{files[item.item]}\n{item.item}") for item in answer.items]
    table(f"Similar to {last_part(photo)}", ("#cosine", "photo"), rows)
    return None


@app.command("tags")
def list_tags(
    persona: str,
    prefix: Annotated[str, typer.Option(help="Only those that begin with this.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists the tags of photos in use, most used first."""
    parent = persona_name(persona)

    async def work(suite: Suite) -> list[catalog.PhotoTag]:
        found: list[catalog.PhotoTag] = []
        request = catalog.ListPhotoTagsRequest(parent=parent, prefix=prefix)
        while len(found) < limit:
            request.page_size = min(200, limit - len(found))
            page = await suite.catalog.ListPhotoTags(request)
            found.extend(page.photo_tags)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        return found

    tags = with_suite(work)
    if json:
        return print_json(tags)
    rows = [(tag.tag, tag.photo_count) for tag in tags]
    table(f"Tags of {parent}", ("tag", "#photos"), rows)
    return None


@app.command()
def delete(photo: str) -> None:
    """Deletes a photo that no post uses."""
    with_suite(lambda suite: suite.catalog.DeletePhoto(catalog.DeletePhotoRequest(name=photo)))
    line(f"deleted [bold]{photo}[/bold]")
