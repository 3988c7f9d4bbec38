"""Analysis of images through gRPC: each task by itself, regions, crops, optional models."""

import io
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from colonnade.embedding.v1 import analysis_service_pb2 as api
from colonnade.embedding.v1.analysis_service_pb2_grpc import (
    AnalysisServiceStub,
    add_AnalysisServiceServicer_to_server,
)
from colonnade.embedding.v1.embedding_service_pb2 import ImageSource
from PIL import Image
from prometheus_client import CollectorRegistry

from libs.blobs.objects import ObjectBlobs, open_blobs
from libs.errors import FailedPrecondition, InvalidArgument
from libs.image_hash import ALGORITHM, hash_of
from libs.images import ImageLimits
from libs.rpc.paging import PageTokens
from services.embedding.analyser import Analyser, AnalyserCard, installed
from services.embedding.analysis_servicer import AnalysisServicer
from services.embedding.analyst import Analyst
from services.embedding.cache import ResultCache
from services.embedding.fairness import Turn
from services.embedding.metrics import EmbeddingMetrics
from services.embedding.model import EmbedderOptions, Embedding, Source, Workshop, open_embedder
from services.embedding.module import ANALYSIS
from services.embedding.operations import Picture, built_in
from services.embedding.regions import Region
from services.embedding.repository import ModelRepository
from services.embedding.sources import Sources
from tests.integration.embedding.analysers import (
    write_classifier,
    write_detector,
    write_frail_classifier,
    write_listing_classifier,
)
from tests.support.pictures import encoded, meadow, waves
from tests.support.rpc import serve

LIMITS = ImageLimits(max_pixels=1_000_000)
SUCCESS, ERROR, SKIPPED = 1, 2, 3
WHITE = encoded(Image.new("RGB", (200, 100), "white"))
BLACK = encoded(Image.new("RGB", (200, 100), "black"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "analysers"


@pytest.fixture
def blobs(tmp_path: Path) -> ObjectBlobs:
    return open_blobs(f"file://{tmp_path}/blobs")


@pytest.fixture
async def stub(
    folder: Path, tmp_path: Path, blobs: ObjectBlobs
) -> AsyncIterator[AnalysisServiceStub]:
    model = ModelRepository(tmp_path / "models", None).built_in()
    options = EmbedderOptions(threads=1, images=LIMITS)
    with closing(Workshop(1, ResultCache(1 << 20))) as workshop:
        async with open_embedder(model, options, workshop=workshop) as embedder:

            async def embed(model: str, source: Source, turn: Turn, region: Region) -> Embedding:
                return await embedder.embed_image(source, turn, region)

            operations = {**built_in(), **installed(folder)}
            analyst = Analyst(operations, embed, workshop, LIMITS)
            servicer = AnalysisServicer(
                analyst,
                Sources(blobs, LIMITS),
                PageTokens(b"of a test"),
                EmbeddingMetrics(CollectorRegistry()),
            )
            register = add_AnalysisServiceServicer_to_server
            async with serve(servicer, ANALYSIS, register, AnalysisServiceStub) as stub:
                yield stub


def task(id: str, operation: str, content: bytes = WHITE, **fields: object) -> api.AnalysisTask:
    return api.AnalysisTask(
        id=id,
        operation=f"operations/{operation}",
        image=ImageSource(content=content),
        **fields,  # type: ignore[arg-type]
    )


async def analyse(stub: AnalysisServiceStub, *tasks: api.AnalysisTask) -> list[api.AnalysisResult]:
    answer = await stub.AnalyzeImages(api.AnalyzeImagesRequest(tasks=tasks))
    assert [result.id for result in answer.results] == [each.id for each in tasks]
    return list(answer.results)


async def test_one_failing_task_leaves_the_others(stub: AnalysisServiceStub) -> None:
    picture = meadow(400, 300)
    results = await analyse(
        stub,
        task("measures", "quality", encoded(picture)),
        task("damaged", "quality", encoded(picture)[:200]),
        task("unknown", "fortune_telling"),
        task("huge", "embedding", encoded(Image.new("L", (1001, 1000)))),
        task("hash", "perceptual_hash", encoded(picture)),
        task("flat", "perceptual_hash"),
        task("vector", "embedding", encoded(picture)),
        task("people", "faces", encoded(picture)),
    )
    assert [result.outcome for result in results] == [
        SUCCESS, ERROR, ERROR, ERROR, SUCCESS, ERROR, SUCCESS, SKIPPED,
    ]  # fmt: skip
    measures, _, _, _, hashed, _, vector, people = results
    assert set(measures.measures) == {"sharpness", "exposure", "resolution", "colourfulness"}
    assert all(0 <= value <= 1 for value in measures.measures.values())
    assert hashed.perceptual_hash.algorithm == ALGORITHM
    assert hashed.perceptual_hash.bits == hash_of(picture)
    assert vector.embedding.vector.dimension == len(vector.embedding.vector.data) // 4
    assert (people.skip_reason, people.skip_message) == (
        "NO_MODEL", "no model for faces is installed",
    )  # fmt: skip


async def test_ids_must_differ_and_regions_must_not_be_empty(stub: AnalysisServiceStub) -> None:
    with pytest.raises(InvalidArgument, match="'a' comes twice"):
        await analyse(stub, task("a", "quality"), task("b", "quality"), task("a", "faces"))
    empty = api.BoundingBox(left=0.5, top=0.1, right=0.5, bottom=0.2)
    with pytest.raises(InvalidArgument, match="left must be less than right"):
        await analyse(stub, task("a", "quality", region=empty))


async def test_a_region_is_looked_at_alone_and_with_its_context(
    stub: AnalysisServiceStub,
) -> None:
    image = Image.new("RGB", (400, 200), "black")
    image.paste(waves(100, 100), (0, 0))
    content = encoded(image)
    box = api.BoundingBox(left=0.0, top=0.0, right=0.25, bottom=0.5)
    whole, alone, around = await analyse(
        stub,
        task("whole", "quality", content),
        task("alone", "quality", content, region=box, return_crops=True),
        task("around", "quality", content, region=box, include_context=True, return_crops=True),
    )
    assert alone.measures["exposure"] > around.measures["exposure"] > whole.measures["exposure"]
    assert not whole.HasField("region") and not whole.crop
    assert alone.region == box
    assert (around.region.right, around.region.bottom) == (0.3125, 0.625)
    sizes = [Image.open(io.BytesIO(result.crop)).size for result in (alone, around)]
    assert sizes == [(100, 100), (125, 125)]
    vectors = await analyse(
        stub,
        task("whole", "embedding", content),
        task("alone", "embedding", content, region=box),
        task("again", "embedding", content, region=box),
        task("around", "embedding", content, region=box, include_context=True),
    )
    assert len({result.embedding.vector.data for result in vectors}) == 3
    assert vectors[1].embedding == vectors[2].embedding


async def test_blobs_are_read_and_a_missing_one_is_an_error(
    stub: AnalysisServiceStub, blobs: ObjectBlobs
) -> None:
    await blobs.put("photos/a.png", WHITE)
    there, gone = (
        api.AnalysisTask(
            id=key, operation="operations/quality", image=ImageSource(blob_key=f"photos/{key}.png")
        )
        for key in "ab"
    )
    found, missing = await analyse(stub, there, gone)
    assert (found.outcome, missing.outcome) == (SUCCESS, ERROR)


async def test_without_models_the_optional_operations_are_listed_as_not_installed(
    stub: AnalysisServiceStub,
) -> None:
    names: dict[str, int] = {}
    token = ""
    for _ in range(6):
        request = api.ListOperationsRequest(page_size=1, page_token=token)
        answer = await stub.ListOperations(request)
        names |= {each.name.removeprefix("operations/"): each.state for each in answer.operations}
        token = answer.next_page_token
    assert token == ""
    assert names == {
        "classification": 2, "detection": 2, "embedding": 1, "faces": 2, "perceptual_hash": 1,
        "quality": 1,
    }  # fmt: skip


class TestWithModels:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "analysers"
        write_classifier(folder)
        write_detector(folder)
        write_detector(folder, "another")
        (folder / "broken.json").write_text("{}")
        return folder

    async def test_they_are_listed(self, stub: AnalysisServiceStub) -> None:
        answer = await stub.ListOperations(api.ListOperationsRequest())
        listed = {each.name: each for each in answer.operations}
        faces = listed["operations/faces"]
        assert (faces.state, list(faces.labels)) == (1, ["face"])
        assert faces.implementation.startswith("another@")
        assert listed["operations/detection"].state == 2

    async def test_they_find_what_is_there_and_skip_what_is_not(
        self, stub: AnalysisServiceStub
    ) -> None:
        face, none, bright = await analyse(
            stub,
            task("face", "faces", WHITE, return_crops=True),
            task("none", "faces", BLACK),
            task("bright", "classification", WHITE),
        )
        (found,) = face.findings
        assert (found.label, found.score) == ("face", 1.0)
        assert (found.region.right, found.region.bottom) == (0.5, 0.5)
        assert Image.open(io.BytesIO(found.crop)).size == (100, 50)
        assert (none.outcome, none.skip_reason) == (SKIPPED, "NOTHING_FOUND")
        assert [each.label for each in bright.findings] == ["bright"]

    async def test_findings_in_a_region_lie_in_the_whole(self, stub: AnalysisServiceStub) -> None:
        box = api.BoundingBox(left=0.5, top=0.5, right=1.0, bottom=1.0)
        (face,) = await analyse(stub, task("face", "faces", WHITE, region=box))
        region = face.findings[0].region
        assert (region.left, region.top, region.right, region.bottom) == (0.5, 0.5, 0.75, 0.75)


class TestWithADamagedModel:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "analysers"
        write_classifier(folder, labels=["one"])
        write_detector(folder)
        (folder / "faces.onnx").write_bytes(b"no model")
        return folder

    async def test_its_tasks_fail_alone(self, stub: AnalysisServiceStub) -> None:
        face, kind, quality = await analyse(
            stub,
            task("face", "faces"),
            task("kind", "classification"),
            task("quality", "quality"),
        )
        assert "is damaged" in face.error.message
        assert "2 labels, its card 1" in kind.error.message
        assert quality.outcome == SUCCESS


class TestWithModelsThatAreGoneOrFail:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "analysers"
        write_frail_classifier(folder)
        write_detector(folder, boxes="no such output")
        write_detector(folder, "things", operation="detection")
        (folder / "things.onnx").unlink()
        return folder

    async def test_their_tasks_fail_alone(self, stub: AnalysisServiceStub) -> None:
        face, thing, black, bright, quality = await analyse(
            stub,
            task("face", "faces"),
            task("thing", "detection"),
            task("black", "classification", BLACK),
            task("bright", "classification", WHITE),
            task("quality", "quality"),
        )
        assert "faces.onnx cannot be used: it does not fit its card" in face.error.message
        assert "things.onnx cannot be used: it cannot be read" in thing.error.message
        assert [found.label for found in black.findings] == ["black"]
        assert bright.error.message == "the model frail failed; try again"
        assert quality.outcome == SUCCESS

    def test_boxes_that_do_not_belong_to_the_scores_are_told(self, folder: Path) -> None:
        write_detector(folder, "swapped", boxes="scores", scores="boxes", labels=["a"] * 4)
        card = AnalyserCard.model_validate_json((folder / "swapped.json").read_bytes())
        analyser = Analyser(card, folder / "swapped.onnx")
        with pytest.raises(FailedPrecondition, match=r"shapes \[\[1, 2, 4\], \[1, 2, 2\]\]"):
            analyser.look(Picture(meadow(), 8, 8))

    def test_scores_that_are_no_array_are_told(self, folder: Path) -> None:
        card = AnalyserCard.model_validate_json(write_listing_classifier(folder).read_bytes())
        with pytest.raises(FailedPrecondition, match="it does not fit its card"):
            Analyser(card, folder / "listing.onnx").look(Picture(meadow(), 8, 8))
