"""A picture is published; edits of it that are imported later do not go out beside it."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.clustering.v1 import duplicate_service_pb2 as duplicates
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Post
from PIL import Image, ImageEnhance, ImageOps

from cli.connection import Suite as Api
from cli.posts import watch_post
from libs.errors import AlreadyExists
from tests.e2e import work
from tests.e2e.conftest import Provider
from tests.support.buffer import Admin
from tests.support.scenes import jpeg, scene
from tests.support.wait import eventually

SIZE: Final = (1000, 900)


def _crop(share: float) -> Callable[[Image.Image], Image.Image]:
    def crop(image: Image.Image) -> Image.Image:
        width, height = image.size
        left, top = round(share * 0.3 * width), round(share * 0.8 * height)
        return image.crop((left, top, left + round((1 - share) * width), round(height - top / 4)))

    return crop


def _colours(image: Image.Image) -> Image.Image:
    bright = ImageEnhance.Brightness(image).enhance(1.15)
    return ImageEnhance.Color(bright).enhance(1.3)


TRANSFORMS: Final[Mapping[str, Callable[[Image.Image], Image.Image]]] = {
    "half size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "crop 5 %": _crop(0.05),
    "crop 10 %": _crop(0.10),
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "border": lambda image: ImageOps.expand(image, 50, "white"),
    "colours": _colours,
}


def draw(folder: Path) -> None:
    """The original, eight edits of it, and three other pictures."""
    original = scene(1, SIZE)
    folder.mkdir()
    (folder / "original.jpg").write_bytes(jpeg(original, 95))
    (folder / "compressed.jpg").write_bytes(jpeg(original, 30))
    for name, transform in TRANSFORMS.items():
        (folder / f"{name}.jpg").write_bytes(jpeg(transform(original), 90))
    for seed in (2, 3, 4):
        (folder / f"other {seed}.jpg").write_bytes(jpeg(scene(seed, SIZE), 90))


async def unscheduled(api: Api, persona: str) -> list[Photo]:
    request = scheduler.ListUnscheduledPhotosRequest(parent=persona, page_size=200)
    return list((await api.scheduler.ListUnscheduledPhotos(request)).photos)


async def test_edits_of_what_is_out_are_refused_with_the_earlier_post(
    api: Api, provider: Provider, buffer: Admin, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    draw(folder)
    persona = await work.new_persona(api, "Repeats")
    channel = await work.new_channel(api, persona, provider.url, provider.token)
    await work.import_some(api, persona, folder, ["original.jpg"])
    [original] = await work.embedded(api, persona)
    post = await work.schedule(api, original.name, timedelta(0))
    assert (await watch_post(api, post)).state == Post.STATE_POSTED

    later = sorted(path.name for path in folder.iterdir() if path.name != "original.jpg")
    assert len(later) == 8 + 3
    await work.import_some(api, persona, folder, later)
    await work.embedded(api, persona)

    async def compared() -> bool:
        asked = duplicates.ListDuplicateSetsRequest(parent=persona)
        return (await api.duplicates.ListDuplicateSets(asked)).waiting_count == 0

    await eventually(compared, within=900)

    async def told() -> list[str]:
        left = [photo.source_path for photo in await unscheduled(api, persona)]
        return left if len(left) <= 3 else []

    # What is known is told a moment later.
    left = await eventually(told, within=300)
    assert sorted(left) == ["other 2.jpg", "other 3.jpg", "other 4.jpg"]

    for photo in await work.photos_of(api, persona):
        if photo.name == original.name or photo.source_path in left:
            continue
        try:
            await work.schedule(api, photo.name, timedelta(days=10))
        except AlreadyExists as error:
            assert error.reason == "PHOTO_REPEATED", photo.source_path
            assert error.metadata["post"] == post.name
            assert error.metadata["photo"] == original.name
            assert error.metadata["channel"] == channel.name
            assert error.metadata["verdict"] in ("DUPLICATE", "VARIANT")
        else:
            raise AssertionError(f"{photo.source_path} was scheduled beside its original")
    for photo in await unscheduled(api, persona):
        await work.schedule(api, photo.name, timedelta(days=10))
    assert (await buffer.calls())["received"] == 1
