"""Finding the files of a folder, whatever lies in it."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from cli.walk import walk
from tests.support.shared import SHARED, needs_shared


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one picture in it; its own parent is outside."""
    folder = tmp_path / "root"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "one.jpg").write_bytes(b"picture")
    return folder


def skipped(root: Path) -> dict[str, str]:
    """What was passed over, and why."""
    return {found.relative: found.skipped for found in walk(root) if found.skipped}


def taken(root: Path, *, recursive: bool = True) -> list[str]:
    return [found.relative for found in walk(root, recursive=recursive) if not found.skipped]


def test_files_come_in_the_order_of_their_names(root: Path) -> None:
    for name in ("b.jpg", "a.jpg", "C.jpg", ".hidden.jpg", "-rf.jpg"):
        (root / name).write_bytes(b"")
    assert taken(root) == ["-rf.jpg", ".hidden.jpg", "C.jpg", "a.jpg", "b.jpg", "inner/one.jpg"]


def test_folders_below_are_left_out_on_request(root: Path) -> None:
    (root / "top.jpg").write_bytes(b"")
    assert taken(root, recursive=False) == ["top.jpg"]


def test_a_link_to_a_file_inside_is_followed_once(root: Path) -> None:
    (root / "again.jpg").symlink_to("inner/one.jpg")
    assert taken(root) == ["inner/one.jpg"]
    assert skipped(root) == {"again.jpg": "a link to a file that is here already"}


def test_hard_links_are_files_of_their_own(root: Path) -> None:
    os.link(root / "inner" / "one.jpg", root / "hard.jpg")
    assert taken(root) == ["hard.jpg", "inner/one.jpg"]


def test_a_link_that_leaves_the_folder_is_passed_over(root: Path) -> None:
    outside = root.parent / "secret.jpg"
    outside.write_bytes(b"private")
    (root / "way-out.jpg").symlink_to(outside)
    (root / "up.jpg").symlink_to("../secret.jpg")
    assert skipped(root) == dict.fromkeys(
        ("up.jpg", "way-out.jpg"), "a link that leaves the folder"
    )


def test_a_folder_link_is_never_entered(root: Path) -> None:
    (root / "inner" / "back").symlink_to(root)
    assert skipped(root) == {"inner/back": "a link to a folder"}


@pytest.mark.parametrize("target", ["no-such-file.jpg", "self.jpg"])
def test_a_link_that_leads_nowhere_is_passed_over(root: Path, target: str) -> None:
    (root / "self.jpg").symlink_to(target)
    assert skipped(root) == {"self.jpg": "a link that leads nowhere"}


def test_pipes_and_sockets_are_passed_over_without_being_opened(root: Path) -> None:
    os.mkfifo(root / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.jpg"))
        assert skipped(root) == dict.fromkeys(("pipe.jpg", "socket.jpg"), "not a plain file")


def test_a_name_that_is_no_text_still_gives_text(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.jpg"))).write_bytes(b"")
    (found,) = walk(root, recursive=False)
    assert found.relative == "caf\N{REPLACEMENT CHARACTER}.jpg"
    assert found.path.read_bytes() == b"", "the path itself still opens the file"


@needs_shared
def test_the_hostile_links_of_the_shared_photos(tmp_path: Path) -> None:
    subprocess.run(["sh", SHARED / "photos/make_hostile_links.sh", tmp_path], check=True)
    assert skipped(tmp_path) == {
        "dangling.jpg": "a link that leads nowhere",
        "link-to-one.jpg": "a link to a file that is here already",
        "loop/inner/back": "a link to a folder",
        "outside.jpg": "a link that leaves the folder",
        "pipe.jpg": "not a plain file",
        "self.jpg": "a link that leads nowhere",
    }
    assert taken(tmp_path) == ["real/one.jpg", "unreadable.jpg"]
