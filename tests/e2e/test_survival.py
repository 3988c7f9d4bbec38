"""Stopping, killing, starting again: nothing is lost, nothing doubled, nothing stays behind."""

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun

from cli.cluster_runs import run_clustering
from cli.clusters import all_clusters
from cli.connection import Suite as Api
from cli.connection import connect
from cli.importer import Destination, Line, Result, import_files
from cli.walk import walk
from libs.errors import DeadlineExceeded, Unavailable
from tests.e2e import work
from tests.e2e.conftest import Library
from tests.support.harness import ROOT, SuiteInOne
from tests.support.pictures import encoded, speckles
from tests.support.wait import eventually

UPLOADS_BEFORE_KILL = (2, 30)


class SlowUpload:
    """An upload that stops before its last part until it is told to end."""

    def __init__(self, persona: str, picture: bytes) -> None:
        self.is_under_way = asyncio.Event()
        self.may_end = asyncio.Event()
        self._persona = persona
        self._picture = picture

    async def messages(self) -> AsyncIterator[catalog.UploadPhotoRequest]:
        """What is sent."""
        header = catalog.PhotoUpload(parent=self._persona, file_name="slow.png")
        yield catalog.UploadPhotoRequest(header=header)
        size = 1 + len(self._picture) // 10
        *most, last = range(0, len(self._picture), size)
        for start in most:
            yield catalog.UploadPhotoRequest(chunk=self._picture[start : start + size])
        self.is_under_way.set()
        await self.may_end.wait()
        yield catalog.UploadPhotoRequest(chunk=self._picture[last:])


async def plain_clusters(api: Api, persona: str) -> list[Cluster]:
    """The clusters without what is written about them in the background meanwhile."""
    clusters = await all_clusters(api, persona)
    for cluster in clusters:
        cluster.ClearField("digest")
    return clusters


async def test_what_runs_ends_well_on_sigterm_and_a_restart_keeps_everything(
    own_suite: SuiteInOne, library: Library
) -> None:
    own_suite.parts["all"].environment["COLONNADE_GRACE"] = "60"
    own_suite.start()
    picture = encoded(speckles())
    async with connect(own_suite.target) as api:
        persona = await work.new_persona(api, "Nora")
        await work.import_folder(api, persona, library.folder)
        await work.embedded(api, persona)
        await run_clustering(api, persona, ClusteringRun())
        before = (await work.photos_of(api, persona), await plain_clusters(api, persona))
        token = await first_token(api, persona)
        slow = SlowUpload(persona, picture)
        upload = asyncio.ensure_future(api.catalog.UploadPhoto(slow.messages()))
        await slow.is_under_way.wait()
        own_suite.parts["all"].ask_to_stop()
        await eventually(lambda: refuses(api, persona), within=300)
        assert not upload.done(), "it was still running when new calls were refused"
        slow.may_end.set()
        stored = (await upload).photo
    assert own_suite.parts["all"].wait() == 0
    own_suite.check_gone()
    own_suite.start()
    async with connected(own_suite, persona) as api:
        newest, *others = await work.embedded(api, persona)
        assert (others, await plain_clusters(api, persona)) == before
        assert newest.name == stored.name
        assert newest.sha256 == hashlib.sha256(picture).hexdigest()
        request = catalog.ListPhotosRequest(parent=persona, page_size=5, page_token=token)
        page = await api.catalog.ListPhotos(request)
        assert [photo.name for photo in page.photos] == [photo.name for photo in others[5:10]]
    own_suite.stop()


async def answers(api: Api, persona: str) -> bool:
    """Whether a new call is taken."""
    try:
        request = catalog.GetPersonaRequest(name=persona)
        await api.catalog.GetPersona(request, timeout=3)
    except (Unavailable, DeadlineExceeded):
        return False
    return True


async def refuses(api: Api, persona: str) -> bool:
    """Whether a new call is not taken."""
    return not await answers(api, persona)


@asynccontextmanager
async def connected(suite: SuiteInOne, persona: str) -> AsyncIterator[Api]:
    """The stubs of a suite that was started again.

    gRPC remembers for a few seconds that nobody answered at an address, and for the whole process.
    """
    async with connect(suite.target) as api:
        await eventually(lambda: answers(api, persona), within=300)
        yield api


async def test_an_import_survives_kills_at_any_moment(
    own_suite: SuiteInOne, library: Library
) -> None:
    """The same end state as without kills: each picture once, embedded, and one cluster version."""
    own_suite.start()
    async with connect(own_suite.target) as api:
        persona = await work.new_persona(api, "Nora")
    for count in UPLOADS_BEFORE_KILL:
        await import_until_killed(own_suite, persona, library, count)
        own_suite.check_gone()
        own_suite.start()
    async with connected(own_suite, persona) as api:
        report = await work.import_folder(api, persona, library.folder)
        assert report.count(Result.FAILED) == len(library.of("damaged"))
        assert report.count(Result.DUPLICATE) > len(library.of("exact-duplicate"))
        assert_each_once(library, await work.embedded(api, persona))
        run = await run_clustering(api, persona, ClusteringRun())
        assert run.stats.items == distinct(library)
        clusters = await all_clusters(api, persona)
        assert sum(cluster.member_count for cluster in clusters) == run.stats.clustered


async def import_until_killed(
    suite: SuiteInOne, persona: str, library: Library, count: int
) -> None:
    """Imports the folder and kills everything once ``count`` files are done."""
    async with connected(suite, persona) as api:
        done: list[Line] = []

        def one_more(line: Line) -> None:
            done.append(line)
            if len(done) == count:
                os.kill(suite.parts["all"].pid, signal.SIGKILL)

        with pytest.raises(Unavailable):
            await import_files(api, walk(library.folder), Destination(persona), progress=one_more)
    suite.parts["all"].wait()


def distinct(library: Library) -> int:
    return len(library.pictures) - len(library.of("damaged")) - len(library.of("exact-duplicate"))


def assert_each_once(library: Library, photos: list[Photo]) -> None:
    whole = [p for p in library.pictures if p.kind != "damaged"]
    contents = {hashlib.sha256((library.folder / p.path).read_bytes()).hexdigest() for p in whole}
    assert len(photos) == len(contents) == distinct(library)
    assert {photo.sha256 for photo in photos} == contents


async def first_token(api: Api, persona: str) -> str:
    request = catalog.ListPhotosRequest(parent=persona, page_size=5)
    return (await api.catalog.ListPhotos(request)).next_page_token


def second_instance(suite: SuiteInOne, **environment: str) -> subprocess.CompletedProcess[str]:
    """Starts the suite once more as it was started, and waits for its end."""
    part = suite.parts["all"]
    return subprocess.run(
        [sys.executable, *part.command[1:]],
        cwd=ROOT,
        env={**os.environ, **part.environment, **environment},
        capture_output=True,
        text=True,
        timeout=400,
    )


FREE_PORTS = {"COLONNADE_GRPC__PORT": "0", "COLONNADE_HTTP__PORT": "0"}


def test_a_second_suite_on_the_same_folder_is_refused(suite_in_one: SuiteInOne) -> None:
    second = second_instance(suite_in_one, **FREE_PORTS)
    assert second.returncode == 1
    folder = str(suite_in_one.data / "all" / "postgres")
    assert f"the data folder {folder} is in use by process" in second.stderr
    assert "Traceback" not in second.stderr
    suite_in_one.wait_ready()


def test_a_port_that_is_in_use_is_named(own_suite: SuiteInOne) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        for taken in ("GRPC", "HTTP"):
            ended = second_instance(own_suite, **{f"COLONNADE_{taken}__PORT": port})
            assert ended.returncode == 1
            assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
            assert "Traceback" not in ended.stderr
            own_suite.check_gone()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file")
    suite = SuiteInOne(tmp_path)
    suite.parts["all"].command[-1] = tmp_path / "own"
    ended = second_instance(suite)
    assert ended.returncode == 1
    assert str(tmp_path / "own") in ended.stderr
    assert "Traceback" not in ended.stderr
