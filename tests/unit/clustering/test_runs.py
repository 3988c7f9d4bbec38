import pytest

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from libs.rpc.requests import RequestKey
from services.clustering.domain.run import Algorithm, Mode, Run, RunState
from services.clustering.usecases.runs import (
    QUEUE,
    RUN_TASK,
    cancel_run,
    create_run,
    get_run,
    run_name,
)
from tests.support.clock import NOON, FakeClock
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.memory import MemoryStore

SCOPE = "personas/nora"
NO_KEY = RequestKey("", "CreateClusteringRun", "")


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


async def create(
    store: MemoryStore, queue: MemoryQueue, *, scope: str = SCOPE, key: RequestKey = NO_KEY
) -> Run:
    return await create_run(store, queue, FakeClock(), Run(uuid7(), scope, Mode.AUTO, NOON), key)


async def test_a_new_run_is_queued_and_a_worker_is_told(
    store: MemoryStore, queue: MemoryQueue
) -> None:
    run = await create(store, queue)
    assert (run.state, run.scope, run.create_time) == (RunState.QUEUED, SCOPE, NOON)
    assert queue.sent == [(RUN_TASK, run.id, QUEUE)]
    assert await get_run(store, run_name(SCOPE, run.id)) == run


async def test_while_one_is_active_no_other_is_made(store: MemoryStore, queue: MemoryQueue) -> None:
    run = await create(store, queue)
    with pytest.raises(AlreadyExists) as caught:
        await create(store, queue)
    assert caught.value.reason == "RUN_ACTIVE"
    assert caught.value.metadata["run"] == run_name(SCOPE, run.id)
    assert len(queue.sent) == 1
    assert (await create(store, queue, scope="personas/other")).id != run.id


async def test_a_request_that_was_refused_may_be_sent_again(
    store: MemoryStore, queue: MemoryQueue
) -> None:
    first = await create(store, queue)
    key = RequestKey(uuid7(), "CreateClusteringRun", "print")
    with pytest.raises(AlreadyExists):
        await create(store, queue, key=key)
    await cancel_run(store, run_name(SCOPE, first.id), NO_KEY)
    assert (await create(store, queue, key=key)).id != first.id


async def test_what_contradicts_itself_is_refused_before_anything_is_stored(
    store: MemoryStore, queue: MemoryQueue
) -> None:
    wanted = Run(uuid7(), SCOPE, Mode.AUTO, NOON, algorithm=Algorithm.K_MEANS)
    with pytest.raises(InvalidArgument):
        await create_run(store, queue, FakeClock(), wanted, NO_KEY)
    assert not store.data.runs and not queue.sent


async def test_a_broker_that_is_away_is_no_error(store: MemoryStore, queue: MemoryQueue) -> None:
    queue.away = True
    run = await create(store, queue)
    assert (await get_run(store, run_name(SCOPE, run.id))).state is RunState.QUEUED


async def test_the_same_request_gets_the_same_run_even_after_it_has_ended(
    store: MemoryStore, queue: MemoryQueue
) -> None:
    key = RequestKey(uuid7(), "CreateClusteringRun", "print")
    run = await create(store, queue, key=key)
    cancel = RequestKey("", "CancelClusteringRun", "")
    await cancel_run(store, run_name(SCOPE, run.id), cancel)
    again = await create(store, queue, key=key)
    assert (again.id, again.state) == (run.id, RunState.CANCELLED)
    with pytest.raises(AlreadyExists):
        await create(store, queue, key=RequestKey(key.id, key.method, "another"))


async def test_cancelling_twice_is_cancelling_once(store: MemoryStore, queue: MemoryQueue) -> None:
    name = run_name(SCOPE, (await create(store, queue)).id)
    key = RequestKey(uuid7(), "CancelClusteringRun", "print")
    assert (await cancel_run(store, name, key)).state is RunState.CANCELLED
    assert (await cancel_run(store, name, key)).state is RunState.CANCELLED
    other = RequestKey(uuid7(), "CancelClusteringRun", "print")
    assert (await cancel_run(store, name, other)).state is RunState.CANCELLED


async def test_what_has_ended_cannot_be_cancelled_and_the_request_may_be_sent_again(
    store: MemoryStore,
) -> None:
    run = Run(uuid7(), SCOPE, Mode.AUTO, NOON, state=RunState.SUCCEEDED)
    store.data.runs[run.id] = run
    key = RequestKey(uuid7(), "CancelClusteringRun", "print")
    for _ in range(2):
        with pytest.raises(FailedPrecondition):
            await cancel_run(store, run_name(SCOPE, run.id), key)


async def test_a_run_of_another_scope_is_not_found(store: MemoryStore, queue: MemoryQueue) -> None:
    run = await create(store, queue)
    with pytest.raises(NotFound):
        await get_run(store, run_name("personas/other", run.id))
    with pytest.raises(NotFound):
        await cancel_run(store, run_name(SCOPE, uuid7()), NO_KEY)


async def test_what_is_no_name_of_a_run_is_refused(store: MemoryStore) -> None:
    with pytest.raises(InvalidArgument):
        await get_run(store, "personas/nora/runs/1")
