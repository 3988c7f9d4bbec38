"""``colonnade photos url``."""

from enum import StrEnum
from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from google.protobuf.duration_pb2 import Duration

from cli.output import JsonOption, out, print_json
from cli.run import with_suite

_MAX_HOURS = 24 * 7


class Form(StrEnum):
    """Which form of a photo."""

    ORIGINAL = "original"
    THUMBNAIL = "thumbnail"
    PUBLISH = "publish"


def url(
    photos: Annotated[list[str], typer.Argument(help="Their names, personas/…/photos/…")],
    form: Annotated[Form, typer.Option(help="As uploaded, small, or fit for publishing.")] = (
        Form.ORIGINAL
    ),
    hours: Annotated[float, typer.Option(min=0.001, max=_MAX_HOURS, help="How long.")] = 1.0,
    json: JsonOption = False,
) -> None:
    """Makes addresses that show photos for a while to whoever has them, without a key."""
    request = catalog.SignPhotoUrlsRequest(
        parent=photos[0].partition("/photos/")[0],
        names=photos,
        rendition=catalog.ReadPhotoMediaRequest.Rendition.Value(f"RENDITION_{form.name}"),
        ttl=Duration(seconds=round(hours * 3600)),
    )
    answer = with_suite(lambda suite: suite.catalog.SignPhotoUrls(request))
    if json:
        return print_json(list(answer.urls))
    for each in answer.urls:
        out.print(each.uri, soft_wrap=True)
    return None
