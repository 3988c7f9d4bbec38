"""What is past its time and not out: counted by reason, and told once."""

import logging

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from prometheus_client import CollectorRegistry

from services.scheduler.domain.lateness import Lateness
from services.scheduler.late_metrics import LateMetrics
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

MINUTE, HOUR = 60.0, 3600.0


class Watch:
    """The gauge and the log of one process."""

    def __init__(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        self._registry, self._caplog = CollectorRegistry(), caplog
        self._look = LateMetrics(world.out.store, world.clock, self._registry)

    async def warnings(self) -> list[str]:
        """What one look writes."""
        self._caplog.clear()
        with self._caplog.at_level(logging.WARNING, "services.scheduler.late_metrics"):
            await self._look()
        found = [r for r in self._caplog.records if r.name == "services.scheduler.late_metrics"]
        return [record.getMessage() for record in found]

    @property
    def counts(self) -> dict[str, float]:
        """The reasons with more than none."""
        name = "colonnade_late_publications"
        values = {w: self._registry.get_sample_value(name, {"reason": w}) for w in Lateness}
        return {reason: value for reason, value in values.items() if value}


@pytest.fixture
def watch(world: World, caplog: pytest.LogCaptureFixture) -> Watch:
    return Watch(world, caplog)


async def test_what_is_on_time_is_not_late(world: World, watch: Watch) -> None:
    await world.connect()
    await world.schedule(after=HOUR)
    out = await world.schedule(after=0)
    await world.work()
    await world.pass_time(40, step=20)
    assert await watch.warnings() == []
    cancelled = await world.schedule(after=60)
    await world.stub.CancelPost(pb.CancelPostRequest(name=cancelled.name))
    await world.advance(50 * MINUTE)
    assert await watch.warnings() == []
    assert watch.counts == {}
    assert (await world.get(out)).posted_time.seconds


async def test_what_is_held_is_late_and_missed_later_and_each_is_told_once(
    world: World, watch: Watch
) -> None:
    channel = await world.connect()
    post = await world.schedule(after=60)
    await world.stub.PauseChannel(pb.PauseChannelRequest(name=channel.name))
    await world.advance(14 * MINUTE)
    await world.work()
    assert await watch.warnings() == []
    await world.advance(3 * MINUTE)
    [warning] = await watch.warnings()
    assert warning.startswith(f"{post.name}/publications/")
    assert "is late (waiting)" in warning
    assert await watch.warnings() == []
    assert watch.counts == {"waiting": 1}
    await world.advance(25 * HOUR)
    await world.work()
    [warning] = await watch.warnings()
    assert "is late (missed)" in warning
    assert await watch.warnings() == []
    assert watch.counts == {"missed": 1}
    # Whoever calls it off ends it; late again, it is told again.
    await world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    assert await watch.warnings() == []
    assert watch.counts == {}
    assert await world.sql("SELECT 1 FROM scheduler.late_publications") == []


async def test_each_reason_is_counted(world: World, watch: Watch) -> None:
    await world.connect()
    names = {}
    states = ["unknown", "scheduled", "needs_review", "missed", "retry_wait"]
    for state in states:
        names[state] = (await world.schedule(after=60)).name.rpartition("/")[2]
    await world.sql("ALTER TABLE scheduler.publications DISABLE TRIGGER check_move")
    for state, post in names.items():
        await world.sql(
            "UPDATE scheduler.publications SET state = :state, provider_post_id = CAST(id AS text)"
            " WHERE post_id = CAST(:post AS uuid)",
            state=state,
            post=post,
        )
    await world.sql("ALTER TABLE scheduler.publications ENABLE TRIGGER check_move")
    await world.advance(17 * MINUTE)
    assert len(await watch.warnings()) == 4
    # A provider may take longer.
    assert watch.counts == {"unknown": 1, "needs_review": 1, "missed": 1, "waiting": 1}
    await world.advance(2 * HOUR)
    [warning] = await watch.warnings()
    assert names["scheduled"] in warning
    assert watch.counts == dict.fromkeys(Lateness, 1)


async def test_another_process_does_not_tell_it_again(
    world: World, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    await world.connect()
    await world.schedule(after=60)
    await world.advance(HOUR)
    assert len(await watch.warnings()) == 1
    other = Watch(world, caplog)
    assert await other.warnings() == []
    assert other.counts == {"waiting": 1}
