"""Where the files of an older library are found, and what is never read."""

from pathlib import Path, PurePosixPath

import pytest
from obstore.store import MemoryStore

from libs.blobs.objects import ObjectBlobs
from libs.errors import InvalidArgument
from services.catalog.legacy.media import BucketMedia, FolderMedia, Media, NoFile, below, open_media


async def content(media: Media, path: str) -> bytes:
    return b"".join([piece async for piece in media.read(path)])


@pytest.mark.parametrize(
    ("path", "prefix", "found"),
    [
        ("a/b.jpg", "", "a/b.jpg"),
        ("/a/b.jpg", "", "a/b.jpg"),
        ("/srv/media/a/b.jpg", "/srv/media", "a/b.jpg"),
        ("/srv/media/a/b.jpg", "/srv/media/", "a/b.jpg"),
        ("media/b.jpg", "media", "b.jpg"),
        ("/other/b.jpg", "/srv/media", "other/b.jpg"),
        ("mediaeval/b.jpg", "media", "mediaeval/b.jpg"),
    ],
)
def test_a_path_as_it_lies_below(path: str, prefix: str, found: str) -> None:
    assert below(path, prefix) == PurePosixPath(found)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "NO_PATH"),
        ("../a.jpg", "OUTSIDE_MEDIA"),
        ("a/../../b", "OUTSIDE_MEDIA"),
        ("/", "OUTSIDE_MEDIA"),
    ],
)
def test_paths_that_lead_nowhere(path: str, reason: str) -> None:
    with pytest.raises(NoFile) as refused:
        below(path, "")
    assert refused.value.reason == reason


async def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"x" * 600_000)
    (tmp_path / "in" / "folder").mkdir()
    (tmp_path / "out.jpg").write_bytes(b"secret")
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "out.jpg")
    media = FolderMedia(tmp_path / "in")
    assert await content(media, "/a.jpg") == b"x" * 600_000
    for path, reason in (
        ("b.jpg", "MISSING_FILE"),
        ("folder", "UNREADABLE_FILE"),
        ("link.jpg", "OUTSIDE_MEDIA"),
    ):
        with pytest.raises(NoFile) as refused:
            await content(media, path)
        assert refused.value.reason == reason


async def test_a_bucket() -> None:
    blobs = ObjectBlobs(MemoryStore())
    await blobs.put("a/b.jpg", b"bytes")
    media = BucketMedia(blobs, "/srv")
    assert await content(media, "/srv/a/b.jpg") == b"bytes"
    for path, reason in (("c.jpg", "MISSING_FILE"), ("a b?.jpg", "UNREADABLE_FILE")):
        with pytest.raises(NoFile) as refused:
            await content(media, path)
        assert refused.value.reason == reason


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="is not a folder"):
        open_media(str(tmp_path / "nothing"), "", {})
    assert isinstance(open_media(str(tmp_path), "", {}), FolderMedia)
