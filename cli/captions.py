"""``colonnade posts captions`` and ``hashtags``."""

from typing import Annotated

import typer
from colonnade.scheduler.v1 import caption_service_pb2 as pb
from rich.markup import escape

from cli.output import JsonOption, line, print_json, table, word
from cli.run import with_suite

PhotoArgument = Annotated[str, typer.Argument(help="personas/…/photos/…")]


def captions(
    photo: PhotoArgument,
    count: Annotated[int, typer.Option(min=1, max=3, help="How many.")] = 3,
    hint: Annotated[str, typer.Option(help="What it should be about besides the photo.")] = "",
    json: JsonOption = False,
) -> None:
    """Proposes captions for a photo in the persona's manner, best first; stores nothing."""
    request = pb.SuggestCaptionsRequest(photo=photo, count=count, hint=hint)
    found = with_suite(lambda suite: suite.captions.SuggestCaptions(request))
    if json:
        print_json(list(found.captions))
        return
    for suggestion in found.captions:
        by = suggestion.model or word(pb.CaptionSuggestion.Source, suggestion.source)
        line(f"[bold]{suggestion.score:.2f}[/bold] ({escape(by)})")
        line(escape(suggestion.caption))
        line("")
    if found.note:
        line(escape(found.note))


def hashtags(
    photo: PhotoArgument,
    count: Annotated[
        int,
        typer.Option(
            min=0, max=30, help="How many; as the persona has them if unset.", show_default=False
        ),
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Proposes hashtags for a photo, common and special ones as the persona mixes them."""
    request = pb.SuggestHashtagsRequest(photo=photo, count=count)
    found = with_suite(lambda suite: suite.captions.SuggestHashtags(request)).hashtags
    if json:
        print_json(list(found))
        return
    rows = [
        (
            each.hashtag,
            word(pb.HashtagSuggestion.Origin, each.origin),
            word(pb.HashtagSuggestion.Size, each.size),
        )
        for each in found
    ]
    table("Hashtags", ["hashtag", "from", "size"], rows, whole="hashtag")
