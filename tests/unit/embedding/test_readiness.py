"""Readiness is an inference that passed: a broken model shows, and nothing else stops for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from colonnade.embedding.v1.embedding_service_pb2 import DESCRIPTOR

from libs.app import App
from libs.clock import SystemClock
from libs.errors import Unavailable
from libs.rpc.auth import Authenticator
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.embedding.batcher import Batcher, lane_pools
from services.embedding.model import Embedder, EmbedderOptions, Workshop
from services.embedding.session import Floats
from tests.support.pictures import encoded, waves
from tests.support.wait import eventually
from tests.unit.embedding.cards import card
from tests.unit.embedding.fake_session import FakeSession

SERVICE = DESCRIPTOR.services_by_name["EmbeddingService"]


class Breakable(FakeSession):
    """A session whose process-wide state can be lost, as after a failed allocation."""

    broken = False

    def run(self, batch: Floats) -> Floats:
        if self.broken:
            raise RuntimeError("bad allocation")
        return super().run(batch)


@pytest.fixture
def session() -> Breakable:
    return Breakable()


@pytest.fixture
async def embedder(session: Breakable) -> AsyncIterator[Embedder]:
    def run(tensors: Sequence[Floats]) -> Floats:
        return session.run(np.stack(tensors))

    with closing(Workshop(1)) as workshop, lane_pools("test", 1) as pools:
        async with Batcher[Floats, Floats](run, pools) as batcher:
            yield Embedder(card(), session, batcher, workshop, EmbedderOptions())


@pytest.fixture
def app(embedder: Embedder, tmp_path: Path) -> App[None]:
    metrics = Metrics()
    app = App(None, tmp_path, SystemClock(), RpcServer(Authenticator(), metrics.rpc), metrics)
    app.rpc.add(SERVICE, lambda servicer, server: None, object())
    app.probe(SERVICE.full_name, embedder.probe)
    app.probe("catalog", fine)
    return app


async def fine() -> None:
    pass


async def test_a_broken_session_shows_at_the_next_look_and_so_does_its_return(
    app: App[None], embedder: Embedder, session: Breakable
) -> None:
    async def recovered() -> bool:
        await app.check_readiness()
        return app.ready.is_set()

    picture = encoded(waves(40, 30))
    await eventually(recovered)
    session.broken = True
    with pytest.raises(Unavailable):
        await embedder.embed_image(picture)
    await app.check_readiness()
    assert not app.ready.is_set()
    assert list(app.failures) == [SERVICE.full_name]
    assert app.working == ["catalog"]
    assert ready(app) == 0
    session.broken = False
    await eventually(recovered)
    assert app.failures == {}
    assert ready(app) == 1
    assert (await embedder.embed_image(picture)).dimension == 4


async def test_a_session_that_hangs_is_not_ready(
    app: App[None], embedder: Embedder, session: Breakable
) -> None:
    session.gate.clear()
    with pytest.raises(Unavailable, match="no answer within"):
        await embedder.probe(timeout=0.05)
    session.gate.set()
    await asyncio.sleep(0)
    await embedder.probe(timeout=60)


def ready(app: App[None]) -> float | None:
    return app.metrics.registry.get_sample_value("colonnade_ready", {"part": SERVICE.full_name})
