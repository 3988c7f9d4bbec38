"""What ``colonnade models`` does on this machine: adding, fetching, refusing."""

import functools
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.downloads import Download, DownloadFailed, download
from cli.models import app
from services.embedding.card_file import read_card
from services.models import main
from tests.integration.embedding.towers import write_dual_model, write_image_model

LIMITS = Download(max_bytes=1 << 20, seconds=60, quiet=True)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Site:
    """A web site with the files of ``folder``."""

    folder: Path
    address: str


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    yield Site(folder, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    serving.join()
    server.server_close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def answered(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def test_a_model_is_added_if_it_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = write_dual_model(tmp_path / "download", "clip")
    write_image_model(tmp_path / "download", "other")
    assert main(["--data", str(tmp_path), "add", str(tmp_path / "download")]) == 0
    added = answered(capsys)["result"]["models"]
    assert [model["name"] for model in added] == ["models/clip", "models/other"]
    placed = tmp_path / "models" / "added" / "clip" / "clip.json"
    assert added[0]["card"] == str(placed)
    assert read_card(placed) == read_card(card)


@pytest.mark.parametrize("harm", ["damaged", "wrong dimension", "wrong card", "no card"])
def test_what_does_not_work_is_not_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    folder = tmp_path / "download"
    card = write_image_model(folder, "mine", said=5 if harm == "wrong dimension" else None)
    if harm == "damaged":
        (folder / "mine.onnx").write_bytes(b"damaged")
    elif harm == "wrong card":
        card.write_text("{")
    elif harm == "no card":
        card.unlink()
    code = main(["--data", str(tmp_path), "add", str(folder)])
    error = answered(capsys)["error"]
    assert (code, error["reason"]) == (
        (2, "INVALID_MODEL_CARD") if harm == "wrong card" else (1, "MODEL_NOT_READY")
    )
    assert not (tmp_path / "models" / "added").exists()


def test_a_bucket_is_filled_by_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLONNADE_EMBEDDING__MODELS", "s3://bucket/models")
    assert main(["--data", str(tmp_path), "add", str(tmp_path)]) == 2
    assert "is a bucket" in answered(capsys)["error"]["message"]


def test_with_its_last_file_a_model_is_added(tmp_path: Path, site: Site) -> None:
    card = read_card(write_dual_model(site.folder, "clip"))
    here = tmp_path / "clip.json"
    here.write_bytes((site.folder / "clip.json").read_bytes())
    *first, (last, digest) = card.files.items()
    options = ("--card", here, "--data", tmp_path / "data")
    for file, sha256 in first:
        result = run("fetch", f"{site.address}/{file}", "--sha256", sha256, *options)
        assert (result.exit_code, last in result.output) == (0, True), result.output
        assert (tmp_path / file).read_bytes() == (site.folder / file).read_bytes()
    result = run("fetch", f"{site.address}/{last}", "--sha256", digest, *options, "--json")
    assert result.exit_code == 0, result.output
    (added,) = json.loads(result.stdout)["models"]
    assert added["name"] == "models/clip"
    assert read_card(Path(added["card"])) == card


def test_a_card_may_be_fetched_too_and_a_repository_named(tmp_path: Path, site: Site) -> None:
    folder = site.folder / "someone" / "model" / "resolve" / "main" / "onnx"
    card = read_card(write_dual_model(folder, "clip"))
    (file, sha256), *_ = card.files.items()
    address = f"{site.address}/someone/model/resolve/main/onnx/clip.json"
    source = f"someone/model:onnx/{file}"
    options = ("--hub", site.address, "--card", address, "--data", tmp_path)
    result = run("fetch", source, "--sha256", sha256, *options)
    assert result.exit_code == 0, result.output
    incoming = tmp_path / "models" / "incoming"
    assert sorted(path.name for path in incoming.iterdir()) == ["clip.json", file]


def test_another_file_than_was_meant_is_not_kept(tmp_path: Path, site: Site) -> None:
    card = write_image_model(tmp_path, "mine")
    (site.folder / "mine.onnx").write_bytes(b"another file")
    (tmp_path / "mine.onnx").unlink()
    sha256 = json.loads(card.read_text())["sha256"]
    options = ("--card", card, "--data", tmp_path)
    result = run("fetch", f"{site.address}/mine.onnx", "--sha256", sha256, *options)
    assert result.exit_code == 1
    assert [path.name for path in tmp_path.glob("*mine*")] == ["mine.json"]
    other = hashlib.sha256(b"another file").hexdigest()
    result = run("fetch", f"{site.address}/mine.onnx", "--sha256", other, *options)
    assert result.exit_code == 1
    assert not (tmp_path / "mine.onnx").exists()


def test_a_download_is_bounded_and_leaves_nothing_behind(tmp_path: Path, site: Site) -> None:
    (site.folder / "large.onnx").write_bytes(b"x" * 3_000_000)
    target = tmp_path / "large.onnx"
    with pytest.raises(DownloadFailed, match="more than 1048576 bytes"):
        download(f"{site.address}/large.onnx", target, LIMITS)
    with pytest.raises(DownloadFailed, match="answers 404"):
        download(f"{site.address}/absent.onnx", target, LIMITS)
    with pytest.raises(DownloadFailed, match=r"http://127\.0\.0\.1:1/"):
        download("http://127.0.0.1:1/", target, LIMITS)
    with pytest.raises(DownloadFailed, match="did not come within"):
        download(f"{site.address}/large.onnx", target, Download(1 << 30, 0.0, quiet=True))
    assert list(tmp_path.iterdir()) == [site.folder]


def test_only_known_packages_are_installed() -> None:
    result = run("install", "something-else")
    assert result.exit_code == 2
