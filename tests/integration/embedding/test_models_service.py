"""Models and texts through the contract, as callers see them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceStub,
    add_EmbeddingServiceServicer_to_server,
)
from colonnade.embedding.v1.model_pb2 import Embedding, Model
from obstore.store import MemoryStore
from PIL import Image
from prometheus_client import CollectorRegistry

from libs.blobs.objects import ObjectBlobs
from libs.cancellation import cancel_and_wait
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from libs.images import ImageLimits
from libs.rpc.paging import PageTokens
from services.clustering.domain.item import Modality
from services.clustering.embedder import RpcEmbedder
from services.clustering.ports import Embedded
from services.embedding.host import HostLimits, ModelHost
from services.embedding.metrics import EmbeddingMetrics
from services.embedding.model import EmbedderOptions, Workshop
from services.embedding.registry import NGRAMS, ModelRegistry
from services.embedding.repository import ModelRepository
from services.embedding.servicer import EmbeddingServicer
from services.embedding.shelf import FolderShelf
from services.embedding.sources import Sources
from tests.integration.embedding.towers import (
    write_dual_model,
    write_image_model,
    write_text_model,
)
from tests.support.clock import FakeClock
from tests.support.pictures import encoded
from tests.support.rpc import serve
from tests.support.wait import eventually

SERVICE = api.DESCRIPTOR.services_by_name["EmbeddingService"]
RED = api.ImageSource(content=encoded(Image.new("RGB", (40, 30), "red")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Models of each kind, and a damaged one; ``clip`` is the default one."""
    folder = tmp_path / "brought"
    write_dual_model(folder, "clip")
    write_image_model(folder, "six", dimension=6)
    write_text_model(folder, "words")
    write_image_model(folder, "harmed")
    (folder / "harmed.onnx").write_bytes(b"harmed")
    return folder


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def host(folder: Path, clock: FakeClock) -> AsyncIterator[ModelHost]:
    registry = ModelRegistry(ModelRepository(folder.parent / "made", None), FolderShelf(folder))
    with closing(Workshop(1)) as workshop:
        limits = HostLimits(default="clip")
        host = ModelHost(registry, EmbedderOptions(threads=1), workshop, limits, clock)
        running = asyncio.create_task(host.run())
        await eventually(lambda: asyncio.sleep(0, bool(host.slots)))
        yield host
        await cancel_and_wait([running])


@pytest.fixture
async def stub(host: ModelHost) -> AsyncIterator[EmbeddingServiceStub]:
    sources = Sources(ObjectBlobs(MemoryStore()), ImageLimits())
    metrics = EmbeddingMetrics(CollectorRegistry())
    servicer = EmbeddingServicer(host, sources, PageTokens(b"secret"), metrics)
    register = add_EmbeddingServiceServicer_to_server
    async with serve(servicer, SERVICE, register, EmbeddingServiceStub) as stub:
        yield stub


def vector(embedding: Embedding) -> np.ndarray:
    return np.frombuffer(embedding.vector.data, "<f4")


async def models(stub: EmbeddingServiceStub) -> dict[str, Model]:
    answer = await stub.ListModels(api.ListModelsRequest())
    return {model.name: model for model in answer.models}


async def test_models_are_listed_with_what_they_can_and_what_is_wrong(
    stub: EmbeddingServiceStub,
) -> None:
    await stub.EmbedImages(api.EmbedImagesRequest(images=[RED]))
    found = await models(stub)
    assert next(iter(found)) == "models/clip"
    clip, six = found["models/clip"], found["models/six"]
    assert (clip.default, clip.state) == (True, Model.STATE_READY)
    assert clip.modality == Model.MODALITY_IMAGE_AND_TEXT
    assert (clip.input_width, clip.input_height, clip.max_text_tokens) == (32, 24, 6)
    assert clip.provider == "CPUExecutionProvider"
    assert clip.HasField("last_use_time")
    assert (six.default, six.state, six.dimension) == (False, Model.STATE_UNLOADED, 6)
    assert (six.modality, six.provider) == (Model.MODALITY_IMAGE, "")
    assert not six.HasField("last_use_time")
    words, harmed = found["models/words"], found["models/harmed"]
    assert (words.modality, words.duplicate_threshold) == (Model.MODALITY_TEXT, 0)
    assert harmed.state == Model.STATE_FAILED
    assert "damaged" in harmed.error.message
    ngrams = found[f"models/{NGRAMS.id}"]
    assert (ngrams.text_default, ngrams.size_bytes) == (True, 0)
    assert "without a network" in ngrams.display_name
    assert await stub.GetModel(api.GetModelRequest(name="models/default")) == clip


async def test_models_are_listed_page_by_page(stub: EmbeddingServiceStub) -> None:
    names: list[str] = []
    token = ""
    while True:
        page = await stub.ListModels(api.ListModelsRequest(page_size=2, page_token=token))
        names += [model.name for model in page.models]
        assert len(page.models) <= 2
        token = page.next_page_token
        if not token:
            break
    assert names == list(await models(stub))
    with pytest.raises(InvalidArgument):
        await stub.ListModels(api.ListModelsRequest(page_token="made up"))


async def test_each_call_uses_the_model_that_it_names(stub: EmbeddingServiceStub) -> None:
    async def dimension(name: str) -> tuple[str, int, str]:
        request = api.EmbedImagesRequest(model=name, images=[RED])
        (result,) = (await stub.EmbedImages(request)).results
        found = result.embedding
        assert len(vector(found)) == found.vector.dimension
        return found.model, found.vector.dimension, found.provider

    names = ["", "models/six", "models/clip", "models/default"] * 5
    provider = "CPUExecutionProvider"
    clip, six = ("models/clip", 4, provider), ("models/six", 6, provider)
    assert await asyncio.gather(*map(dimension, names)) == [clip, six, clip, clip] * 5


async def test_words_find_pictures_of_a_model_for_both(stub: EmbeddingServiceStub) -> None:
    colours = ["red", "lime", "blue"]
    pictures = [
        api.ImageSource(content=encoded(Image.new("RGB", (40, 30), colour))) for colour in colours
    ]
    images = (await stub.EmbedImages(api.EmbedImagesRequest(images=pictures))).results
    request = api.EmbedTextsRequest(model="models/clip", texts=["blue photo", "red", "green"])
    texts = (await stub.EmbedTexts(request)).results
    closest = [
        int(np.argmax([vector(image.embedding) @ vector(text.embedding) for image in images]))
        for text in texts
    ]
    assert closest == [2, 0, 1]
    text, image = texts[0].embedding, images[0].embedding
    assert (text.model, text.revision, text.fingerprint) == (
        image.model,
        image.revision,
        image.fingerprint,
    )


async def test_texts_without_a_model_use_the_default_one_for_texts(
    stub: EmbeddingServiceStub,
) -> None:
    texts = ["a dog on the beach", "the", "dogs at the beach"]
    results = (await stub.EmbedTexts(api.EmbedTextsRequest(texts=texts))).results
    assert results[0].embedding.model == f"models/{NGRAMS.id}"
    assert vector(results[0].embedding) @ vector(results[2].embedding) > 0.5
    assert results[1].WhichOneof("outcome") == "error"
    assert "nothing in this text" in results[1].error.message


async def test_what_was_cut_is_told(stub: EmbeddingServiceStub) -> None:
    request = api.EmbedTextsRequest(model="models/words", texts=["red", "red " * 50])
    short, long = (await stub.EmbedTexts(request)).results
    assert (short.truncated, long.truncated) == (False, True)


async def test_models_that_cannot_say_so(stub: EmbeddingServiceStub) -> None:
    images = {name: api.EmbedImagesRequest(model=name, images=[RED]) for name in MODELS}
    with pytest.raises(InvalidArgument) as wrong:
        await stub.EmbedImages(images["models/words"])
    assert (wrong.value.reason, wrong.value.violations[0].field) == ("WRONG_MODALITY", "model")
    with pytest.raises(InvalidArgument):
        await stub.EmbedTexts(api.EmbedTextsRequest(model="models/six", texts=["red"]))
    with pytest.raises(NotFound):
        await stub.EmbedImages(images["models/nobody"])
    with pytest.raises(Unavailable) as harmed:
        await stub.EmbedImages(images["models/harmed"])
    assert harmed.value.reason == "MODEL_NOT_READY"
    assert harmed.value.retry_after > 0


MODELS = ("models/words", "models/nobody", "models/harmed")


async def test_models_are_loaded_and_unloaded_by_request(stub: EmbeddingServiceStub) -> None:
    name = "models/six"
    loaded = (await stub.LoadModel(api.LoadModelRequest(name=name))).model
    assert (loaded.state, loaded.provider) == (Model.STATE_READY, "CPUExecutionProvider")
    unloaded = (await stub.UnloadModel(api.UnloadModelRequest(name=name))).model
    assert (unloaded.state, unloaded.provider) == (Model.STATE_UNLOADED, "")
    with pytest.raises(FailedPrecondition) as default:
        await stub.UnloadModel(api.UnloadModelRequest(name="models/clip"))
    assert default.value.reason == "DEFAULT_MODEL"
    with pytest.raises(FailedPrecondition, match="damaged"):
        await stub.LoadModel(api.LoadModelRequest(name="models/harmed"))
    with pytest.raises(NotFound):
        await stub.LoadModel(api.LoadModelRequest(name="models/nobody"))


async def test_a_model_whose_file_was_mended_is_listed_so(
    stub: EmbeddingServiceStub, folder: Path, clock: FakeClock
) -> None:
    assert (await models(stub))["models/harmed"].state == Model.STATE_FAILED
    write_image_model(folder, "harmed")
    clock.advance(timedelta(seconds=3))
    assert (await models(stub))["models/harmed"].state == Model.STATE_UNLOADED


async def test_the_clustering_service_embeds_texts_with_the_default_model_for_them(
    stub: EmbeddingServiceStub,
) -> None:
    embedder = RpcEmbedder(stub, duplicate_floor=0.92)
    words = await embedder.describe("", Modality.TEXTS)
    assert (words.model, words.modality) == (f"models/{NGRAMS.id}", Modality.TEXTS)
    assert words.name.startswith(f"texts-{NGRAMS.id}-")
    assert (words.duplicate_threshold, words.scene_threshold) == (0.9, 0.75)
    one, other = await embedder.embed_texts(["a quiet street", "a loud street"], words.model, "p/a")
    assert isinstance(one, Embedded) and isinstance(other, Embedded)
    assert np.linalg.norm([one.vector, other.vector], axis=1) == pytest.approx([1, 1], abs=1e-5)
    words.require_same(one.model, one.revision, one.fingerprint)
    read = await embedder.embed_text(words, "a quiet street", "p/a")
    assert read is not None and read @ one.vector == pytest.approx(1, abs=1e-5)
    clip = await embedder.describe("models/clip", Modality.TEXTS)
    assert (clip.duplicate_threshold, clip.scene_threshold) == (0.95, 0.85)
    assert await embedder.describe("", Modality.PHOTOS) != clip
    with pytest.raises(InvalidArgument):
        await embedder.describe("models/six", Modality.TEXTS)
    with pytest.raises(InvalidArgument):
        await embedder.describe("models/words", Modality.PHOTOS)
