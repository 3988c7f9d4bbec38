"""``colonnade clusters sheet``: a picture of all clusters, each a row."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_pb2 import Cluster
from PIL import Image, ImageDraw
from rich.markup import escape

from cli.connection import Suite
from cli.contact_sheet import BACKGROUND, INK, read_thumbnails
from cli.names import scope_name
from cli.output import JsonOption, line, print_json
from cli.run import with_suite
from libs.errors import InvalidArgument

_CELL = 150
_GAP = 10
_TITLE = 30
_ACROSS = 8
_AT_ONCE = 8
# JPEG knows no picture that is higher than 65,535 pixels.
_MOST = 300


@dataclass(frozen=True, slots=True)
class _Row:
    cluster: Cluster
    photos: Sequence[str]


def sheet(
    scope: Annotated[str, typer.Argument(help="A persona.")],
    file: Annotated[Path, typer.Argument(help="Where to write it; .jpg, .png or .webp.")],
    version: Annotated[
        int, typer.Option(help="As they were in this version.", min=0, show_default=False)
    ] = 0,
    limit: Annotated[int, typer.Option(help="How many clusters at most.", min=1, max=_MOST)] = 100,
    json: JsonOption = False,
) -> None:
    """Writes a picture of the clusters, largest first: the hero, then the most central members."""
    parent = scope_name(scope)

    async def work(suite: Suite) -> Sequence[_Row]:
        if not parent.startswith("personas/"):
            raise InvalidArgument.of("scope", "must be a persona; texts have no pictures")
        if file.suffix.lower() not in Image.registered_extensions():
            raise InvalidArgument.of("file", "must end like a picture, such as .jpg")
        rows = await _rows(suite, parent, version, limit)
        thumbnails = await read_thumbnails(suite, [p for row in rows for p in row.photos], _CELL)
        await asyncio.to_thread(_draw(rows, thumbnails).save, file)
        return rows

    rows = with_suite(work)
    if json:
        return print_json([row.cluster for row in rows])
    line(f"{len(rows)} clusters are in {escape(str(file))}")
    return None


async def _rows(suite: Suite, parent: str, version: int, limit: int) -> list[_Row]:
    clusters: list[Cluster] = []
    request = clustering.ListClustersRequest(parent=parent, version=version, page_size=limit)
    while len(clusters) < limit:
        page = await suite.clustering.ListClusters(request)
        clusters += page.clusters
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    turn = asyncio.Semaphore(_AT_ONCE)

    async def row(cluster: Cluster) -> _Row:
        async with turn:
            members = await suite.clustering.ListClusterMembers(
                clustering.ListClusterMembersRequest(
                    parent=cluster.name, version=version, page_size=_ACROSS
                )
            )
        hero = [cluster.hero.item] if cluster.hero.item else []
        items = dict.fromkeys([*hero, *(member.item for member in members.members)])
        return _Row(cluster, list(items)[:_ACROSS])

    return list(await asyncio.gather(*(row(cluster) for cluster in clusters[:limit])))


def _draw(rows: Sequence[_Row], thumbnails: Mapping[str, Image.Image]) -> Image.Image:
    height = _TITLE + _CELL + 2 * _GAP
    width = _ACROSS * (_CELL + _GAP) + _GAP
    picture = Image.new("RGB", (width, max(1, len(rows)) * height + _GAP), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for number, row in enumerate(rows):
        top = number * height + _GAP
        title = row.cluster.title or "without a title"
        draw.text((_GAP, top), f"{title} ({row.cluster.member_count})", INK, font_size=18)
        for column, photo in enumerate(row.photos):
            thumbnail = thumbnails[photo]
            left = _GAP + column * (_CELL + _GAP) + (_CELL - thumbnail.width) // 2
            upper = top + _TITLE + (_CELL - thumbnail.height) // 2
            picture.paste(thumbnail, (left, upper))
            if photo == row.cluster.hero.item:
                box = (
                    left - 3,
                    upper - 3,
                    left + thumbnail.width + 2,
                    upper + thumbnail.height + 2,
                )
                draw.rectangle(box, outline=INK, width=3)
    return picture
