"""What fails is told to those who run the suite."""

import pytest
from colonnade.scheduler.v1.post_pb2 import Post
from prometheus_client import CollectorRegistry

from services.scheduler.failure_metrics import FailureMetrics
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_failures_of_the_last_hour_are_counted_by_provider_and_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()
    look = FailureMetrics(world.out.store, world.clock, registry)

    async def counted(provider: str = "buffer") -> float | None:
        await look()
        labels = {"provider": provider}
        return registry.get_sample_value("colonnade_failed_publications", labels)

    await world.connect()
    assert (await counted(), await counted("bluesky")) == (0, 0)
    await world.schedule(after=0, caption="Refused")
    await world.buffer.admin.fault("duplicate")
    await world.work()
    missed = await world.schedule(after=0, caption="Late")
    await world.sql(
        "UPDATE scheduler.publications SET due_time = due_time - interval '25 hours'"
        " WHERE post_id = :id",
        id=missed.name.rpartition("/")[2],
    )
    await world.work()
    fine = await world.schedule(after=0)
    await world.pass_time(60, step=20)
    assert (await world.get(fine)).state == Post.STATE_POSTED
    assert await counted() == 2
    [told] = [record.message for record in caplog.records if " failed: " in record.message]
    assert "DUPLICATE" in told
    await world.advance(3700)
    assert await counted() == 0
