"""The embedding service opened as a part of a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from colonnade.embedding.v1 import analysis_service_pb2 as analysis
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

from libs.app import App
from libs.blobs.objects import open_blobs
from libs.cancellation import cancel_and_wait
from libs.clock import SystemClock
from libs.rpc.auth import Authenticator
from libs.rpc.channels import ServiceChannel, open_channel
from libs.rpc.server import RpcServer
from libs.secrets import Secrets
from libs.telemetry import Metrics
from services.embedding import module
from services.embedding.settings import EmbeddingSettings
from services.engines import Engines
from services.settings import Settings
from tests.integration.embedding.towers import write_image_model
from tests.support.pictures import encoded, meadow
from tests.support.wait import eventually

SERVICES = (module.SERVICE, module.ANALYSIS)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App[Settings]]:
    card = write_image_model(tmp_path / "own", "first")
    embedding = EmbeddingSettings(model_card=card, model="first", cache_bytes=1 << 20)
    metrics = Metrics()
    rpc = RpcServer(Authenticator(), metrics.rpc)
    settings = Settings(data=tmp_path, embedding=embedding)
    app = App(settings, tmp_path, SystemClock(), rpc, metrics)
    app.share(Engines({}))
    app.share(Secrets(b"of a test"))
    app.share(open_blobs(f"file://{tmp_path}/blobs"))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(module.open(app))
        await app.rpc.start([f"unix:{tmp_path}/test.sock"])
        stack.push_async_callback(app.rpc.stop, 0)
        loops = [asyncio.create_task(run()) for _, run in app._loops]
        stack.push_async_callback(cancel_and_wait, loops)
        yield app


@pytest.fixture
async def channel(app: App[Settings], tmp_path: Path) -> AsyncIterator[ServiceChannel]:
    channel = open_channel(f"unix:{tmp_path}/test.sock", SERVICES)
    yield ServiceChannel(channel, SERVICES, {})
    await channel.close()


async def test_it_is_ready_once_an_inference_has_passed_and_serves_both_services(
    app: App[Settings], channel: ServiceChannel
) -> None:
    async def ready() -> bool:
        await app.check_readiness()
        return app.ready.is_set()

    await eventually(ready)
    assert set(app.working) == {service.full_name for service in SERVICES}
    content = encoded(meadow())
    embeddings = EmbeddingServiceStub(channel)  # type: ignore[arg-type]
    request = api.EmbedImagesRequest(images=[api.ImageSource(content=content)] * 2)
    first, again = (await embeddings.EmbedImages(request, timeout=60)).results
    assert first == again
    task = analysis.AnalysisTask(
        id="a", operation="operations/embedding", image=api.ImageSource(content=content)
    )
    analyses = AnalysisServiceStub(channel)  # type: ignore[arg-type]
    asked = analysis.AnalyzeImagesRequest(tasks=[task])
    answer = await analyses.AnalyzeImages(asked, timeout=60)
    assert answer.results[0].embedding == first.embedding
    metrics = app.metrics.render().decode()
    for line in (
        'colonnade_embedding_cache_lookups_total{outcome="miss"} 1.0',
        'colonnade_embedding_cache_lookups_total{outcome="hit"} 1.0',
        'colonnade_embedding_queue_length{lane="interactive",model="first"} 0.0',
        'colonnade_embedding_decode_queue_length{lane="bulk"} 0.0',
    ):
        assert line in metrics
    assert app.metrics.registry.get_sample_value("colonnade_embedding_cache_bytes")
