"""What photos are called in lists, and that nobody has to know it."""

from types import SimpleNamespace
from typing import cast

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.photo_pb2 import Photo

from cli.connection import Suite
from cli.file_names import file_names
from libs.errors import (
    ColonnadeError,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
)

KNOWN, OTHER = "personas/nora/photos/a", "personas/nora/photos/b"


@pytest.mark.parametrize(
    "error",
    [
        NotFound("photo", OTHER),
        PermissionDenied("the key lacks catalog.read"),
        InvalidArgument("no name of a photo"),
        Unavailable("the catalog is away"),
        DeadlineExceeded("the catalog is slow"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_the_catalog_does_not_tell_is_left_out(error: ColonnadeError) -> None:
    async def get(request: catalog.GetPhotoRequest) -> Photo:
        if request.name == OTHER:
            raise error
        return Photo(name=request.name, source_path="walks/dog.jpg")

    suite = cast(Suite, SimpleNamespace(catalog=SimpleNamespace(GetPhoto=get)))
    names = await file_names(suite, [KNOWN, OTHER, KNOWN])
    assert names == {KNOWN: "walks/dog.jpg", OTHER: "-"}
