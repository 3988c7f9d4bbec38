"""``colonnade search``."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from colonnade.clustering.v1 import generation_service_pb2 as generations
from colonnade.clustering.v1 import search_service_pb2 as api
from colonnade.clustering.v1.generation_pb2 import Generation
from colonnade.embedding.v1 import embedding_service_pb2 as embedding
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape

from cli.connection import Suite
from cli.file_names import file_names, labelled
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, line, print_json, table, timestamp
from cli.run import with_suite
from libs.errors import FailedPrecondition
from libs.rpc.status import from_status

_PAGE = 100
_DEEPEST = 1000


class UsageOption(StrEnum):
    """Whether posts use photos."""

    UNUSED = "unused"
    SCHEDULED = "scheduled"
    POSTED = "posted"


def search(
    persona: Annotated[str, typer.Argument(help="Whose photos.")],
    words: Annotated[list[str] | None, typer.Argument(help="What to look for.")] = None,
    photo: Annotated[str, typer.Option(help="What is like this photo, by name or id.")] = "",
    like: Annotated[Path | None, typer.Option(help="What is like this picture file.")] = None,
    pillar: Annotated[list[str] | None, typer.Option(help="Only in these pillars.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only with all of these tags.")] = None,
    any_tag: Annotated[list[str] | None, typer.Option(help="Only with one of these tags.")] = None,
    usage: Annotated[list[UsageOption] | None, typer.Option(help="Only used so by posts.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only imported then or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only imported before.")] = None,
    min_quality: Annotated[float | None, typer.Option(help="Only of this quality, 0..1.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Only with this score.")] = None,
    diversity: Annotated[float, typer.Option(help="How unlike each other, 0..1.")] = 0.0,
    one_per_scene: Annotated[
        bool, typer.Option("--one-per-scene", help="The best of each scene only.")
    ] = False,
    archived: Annotated[
        bool, typer.Option("--archived", help="Photos that were put away, too.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=_DEEPEST, help="How many at most.")] = 10,
    json: JsonOption = False,
) -> None:
    """Finds photos by words, by a photo of the library, or by a picture file."""
    text = " ".join(words or ())
    if sum(map(bool, (text, photo, like))) != 1:
        raise typer.BadParameter("give words, --photo or --like, one of them")
    parent = persona_name(persona)
    wanted = api.ItemFilter(
        pillars=[below(parent, "pillars", name) for name in split_list(pillar or [])],
        all_tags=split_list(tag or []),
        any_tags=split_list(any_tag or []),
        usages=[api.ItemFilter.Usage.Value(f"USAGE_{value.upper()}") for value in usage or ()],
        from_time=_moment(since),
        to_time=_moment(until),
        min_quality=min_quality,
        include_archived=archived,
    )
    request = api.SearchItemsRequest(
        parent=parent,
        filter=wanted,
        min_score=min_score,
        diversity=diversity,
        one_per_scene=one_per_scene,
    )
    if text:
        request.text = text
    if photo:
        request.item = below(parent, "photos", photo)
    if like is not None and not like.is_file():
        raise typer.BadParameter(f"there is no file {like}", param_hint="--like")
    content = like.read_bytes() if like is not None else None

    async def work(suite: Suite) -> tuple[api.SearchItemsResponse, dict[str, str]]:
        answer = await find(suite, request, limit, content)
        photos = [] if json else [hit.item for hit in answer.hits]
        return answer, await file_names(suite, photos)

    answer, files = with_suite(work)
    return print_json(answer) if json else _show(answer, files)


async def find(
    suite: Suite, request: api.SearchItemsRequest, limit: int, like: bytes | None = None
) -> api.SearchItemsResponse:
    """Up to ``limit`` hits of all pages, in one answer; ``like``: of what is like that picture."""
    if like is not None:
        request.vector.CopyFrom(await _vector_of(suite, like))
    whole = api.SearchItemsResponse()
    while True:
        request.page_size = min(_PAGE, limit - len(whole.hits))
        page = await suite.search.SearchItems(request)
        hits = [*whole.hits, *page.hits]
        whole = api.SearchItemsResponse()
        whole.CopyFrom(page)
        del whole.hits[:]
        whole.hits.extend(hits)
        if len(hits) >= limit or not page.next_page_token:
            return whole
        request.page_token = page.next_page_token


async def _vector_of(suite: Suite, picture: bytes) -> api.QueryVector:
    """The vector of a picture, by the model that photos are embedded with."""
    listed = await suite.generations.ListGenerations(generations.ListGenerationsRequest())
    active = [g for g in listed.generations if g.state == Generation.STATE_ACTIVE]
    if not active:
        raise FailedPrecondition("no photo is embedded yet", reason="NOT_EMBEDDED")
    answer = await suite.embedding.EmbedImages(
        embedding.EmbedImagesRequest(
            model=active[0].model,
            images=[embedding.ImageSource(content=picture)],
            purpose=embedding.EmbedImagesRequest.PURPOSE_INTERACTIVE,
        )
    )
    (result,) = answer.results
    if result.WhichOneof("outcome") != "embedding":
        raise from_status(result.error)
    found = result.embedding
    return api.QueryVector(
        vector=found.vector,
        model=found.model,
        revision=found.revision,
        fingerprint=found.fingerprint,
    )


def _show(answer: api.SearchItemsResponse, files: dict[str, str]) -> None:
    by_words = answer.matched_by == api.MATCHED_BY_WORDS
    if by_words:
        rows = [
            (f"{hit.score:.2f}", labelled(hit.item, files), " ".join(hit.words))
            for hit in answer.hits
        ]
        table("Photos by what is written about them", ("#share", "photo", "words"), rows)
        line("The model in use reads no texts, so paths and tags were searched, not pictures.")
    else:
        pairs = [(f"{hit.score:.3f}", labelled(hit.item, files)) for hit in answer.hits]
        table("Photos by what they show", ("#cosine", "photo"), pairs)
        line(
            f"Compared with vectors of {escape(answer.model)}."
            if answer.model
            else "No photos yet."
        )


def _moment(moment: datetime | None) -> Timestamp | None:
    """A time of this machine's zone as the contract has it."""
    return None if moment is None else timestamp(moment.astimezone(UTC))
