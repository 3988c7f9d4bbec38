"""Suggestions through the service: asked for, written, decided; and the runs they become."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog_pb
from colonnade.catalog.v1 import planning_service_pb2 as pb
from colonnade.catalog.v1 import run_pb2, suggestion_pb2
from colonnade.type.v1.job_pb2 import JobState
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import ErrorInfo

from libs.aio import BlockingPool
from libs.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from services.catalog.domain.names import suggestion_batch_key
from tests.integration.catalog.library import Library
from tests.integration.catalog.studio import Studio
from tests.support.wait import eventually

Suggestion = suggestion_pb2.Suggestion
Batch = suggestion_pb2.SuggestionBatch


@pytest.fixture
def studio(lib: Library) -> Any:
    pool = BlockingPool("suggest", 1)
    yield Studio(lib, pool)
    pool.close()


@pytest.fixture
async def one(studio: Studio) -> Suggestion:
    """A suggestion that waits for a decision."""
    persona, _ = await planned(studio.lib)
    return (await studio.made(persona, 1))[0]


async def planned(lib: Library, **fields: Any) -> tuple[str, str]:
    """A persona with a pillar that lacks seven photos."""
    persona = await lib.persona(voice="Warm, unhurried, a little dry.")
    fields = {"weight": 50, "description": "Coffee, flowers and bread.", **fields}
    return persona, await lib.pillar(persona, **fields)


def reason_in(batch: Batch) -> str:
    info = ErrorInfo()
    assert batch.error.details[0].Unpack(info)
    return str(info.reason)


async def test_a_batch_is_answered_at_once_and_written_by_a_worker(studio: Studio) -> None:
    persona, pillar = await planned(studio.lib)
    batch = await studio.ask(persona)
    assert batch.state == JobState.JOB_STATE_QUEUED
    assert (batch.count, batch.written, list(batch.pillars)) == (5, 0, [])
    id = batch.name.rpartition("/")[2]
    assert studio.lib.queue.sent == [("catalog.suggest", id, "catalog")]
    report = await studio.lib.planning.GetGapReport(pb.GetGapReportRequest(name=batch.gap_report))
    assert [advice.pillar for advice in report.recommendations] == [pillar]
    assert await studio.of(batch) == []

    await studio.write(batch)
    done = await studio.get(batch)
    assert done.state == JobState.JOB_STATE_SUCCEEDED
    assert (done.written, done.exhausted, done.HasField("error")) == (5, False, False)
    assert done.end_time == studio_now(studio)
    written = await studio.of(batch)
    assert [s.rank for s in written] == [1, 2, 3, 4, 5]
    for suggestion in written:
        assert suggestion.state == Suggestion.STATE_PENDING
        assert suggestion.source == "template"
        assert (suggestion.pillar, suggestion.gap_report) == (pillar, batch.gap_report)
        assert suggestion.suggestion_batch == batch.name
        assert suggestion.gap == 7
        assert "7 are missing" in suggestion.reason or "needs 7" in suggestion.reason
        assert 2 <= len(suggestion.title.split()) <= 5
        assert suggestion.description and suggestion.prompt and suggestion.keywords
        assert suggestion.etag == "1" and not suggestion.run


def studio_now(studio: Studio) -> Any:
    stamp = Batch().end_time
    stamp.FromDatetime(studio.lib.clock.now())
    return stamp


async def test_nothing_is_written_twice_by_a_worker_that_comes_late(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    batch = await studio.ask(persona, 3)
    await asyncio.gather(*(studio.write(batch) for _ in range(4)))
    assert len(await studio.of(batch)) == 3
    assert await studio.write(batch) is None


async def test_a_batch_that_no_message_announces_is_found(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    studio.lib.queue.away = True
    batch = await studio.ask(persona)
    assert studio.lib.queue.sent == []
    id = suggestion_batch_key(batch.name).id
    assert id in await studio.waiting()
    await studio.write(batch)
    assert id not in await studio.waiting()


async def test_a_killed_worker_leaves_the_rest_to_the_next(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    batch = await studio.ask(persona, 4)
    id = suggestion_batch_key(batch.name).id
    async with studio.lib.catalog.changing() as tx:
        taken = await tx.batch_ledger.take(id, "a worker that dies", 3)
        assert taken is not None
        await tx.commit()
    assert await studio.write(batch) is None, "somebody has it"
    await studio.lib.rows(
        "UPDATE catalog.suggestion_batches SET lease_expire_time = now() WHERE id = :id",
        id=uuid.UUID(id),
    )
    assert id in await studio.waiting()
    await studio.write(batch)
    assert len(await studio.of(batch)) == 4
    async with studio.lib.catalog.changing() as tx:
        with pytest.raises(Conflict) as late:
            await tx.batch_ledger.count_one(*taken)
    assert late.value.reason == "LEASE_LOST"


async def test_a_batch_whose_workers_are_lost_again_and_again_fails(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    batch = await studio.ask(persona)
    id = suggestion_batch_key(batch.name).id
    await studio.lib.rows(
        "UPDATE catalog.suggestion_batches SET attempt = 3, state = 'RUNNING', lease_owner = 'x', "
        "lease_expire_time = now() WHERE id = :id",
        id=uuid.UUID(id),
    )
    assert id not in await studio.waiting()
    failed = await studio.get(batch)
    assert failed.state == JobState.JOB_STATE_FAILED
    assert (reason_in(failed), failed.error.code) == ("WORKER_LOST", code_pb2.INTERNAL)


async def test_the_largest_gap_is_filled_first(studio: Studio) -> None:
    persona = await studio.lib.persona()
    coffee = await studio.lib.pillar(persona, display_name="Coffee", weight=50)
    sea = await studio.lib.pillar(persona, display_name="Sea", weight=30)
    full = await studio.lib.pillar(persona, display_name="Full", weight=20)
    for _ in range(6):
        await studio.lib.shelve(full)
    for _ in range(2):
        await studio.lib.shelve(coffee)
    # Over 30 days: coffee needs 7 and has 2, sea needs 4 and has none, full has enough.
    written = await studio.made(persona, 6)
    assert [s.pillar for s in written] == [coffee, coffee, sea, coffee, sea, coffee]
    assert [s.gap for s in written] == [5, 5, 4, 5, 4, 5]
    named = await studio.made(persona, 2, [full])
    assert [s.pillar for s in named] == [full, full]
    assert "asked for by name" in named[0].reason


async def test_where_all_is_covered_nothing_is_written_and_that_is_said(studio: Studio) -> None:
    persona, pillar = await planned(studio.lib, weight=10)
    for _ in range(5):
        await studio.lib.shelve(pillar)
    batch = await studio.ask(persona)
    await studio.write(batch)
    done = await studio.get(batch)
    assert done.state == JobState.JOB_STATE_SUCCEEDED
    assert (done.written, done.exhausted) == (0, False)
    assert (done.error.code, reason_in(done)) == (code_pb2.OK, "NOTHING_MISSING")
    assert "every pillar is covered" in done.error.message


async def test_a_suggestion_names_the_photos_that_come_nearest_and_what_they_lack(
    studio: Studio,
) -> None:
    persona, pillar = await planned(studio.lib, description="Coffee and flowers.")
    coffee = [
        await studio.lib.shelve(pillar, tags=("coffee", "morning"), caption="Espresso")
        for _ in range(4)
    ]
    await studio.lib.shelve(pillar, file_name="IMG_0001.jpg")
    flowers, cup = await studio.made(persona, 2)
    assert "flowers" in flowers.prompt.lower()
    assert "None of its 5 photos says that it shows flowers." in flowers.reason
    assert list(flowers.nearest_photos) == []
    assert "coffee" in cup.prompt.lower()
    assert set(cup.nearest_photos) == {photo.name for photo in coffee}
    assert "4 of its 5 photos carry the tag" in cup.reason


async def test_an_archived_photo_is_not_looked_at(studio: Studio) -> None:
    persona, pillar = await planned(studio.lib, description="Coffee.")
    await studio.lib.shelve(pillar, tags=("coffee",))
    await studio.lib.rows("UPDATE catalog.photos SET state = 'ARCHIVED'")
    (written,) = await studio.made(persona, 1)
    assert list(written.nearest_photos) == []


async def test_watching_shows_each_suggestion_once_and_ends_with_the_batch(
    studio: Studio,
) -> None:
    persona, _ = await planned(studio.lib)
    batch = await studio.ask(persona, 3)
    seen: list[pb.WatchSuggestionBatchResponse] = []

    async def watch() -> None:
        request = pb.WatchSuggestionBatchRequest(name=batch.name)
        async for message in studio.lib.planning.WatchSuggestionBatch(request):
            seen.append(message)  # noqa: PERF401 - the test looks at it meanwhile

    async def started() -> bool:
        return bool(seen)

    watching = asyncio.create_task(watch())
    await eventually(started)
    assert seen[0].suggestion_batch.state == JobState.JOB_STATE_QUEUED
    await studio.write(batch)
    async with asyncio.timeout(300):
        await watching
    told = [message.suggestion for message in seen if message.HasField("suggestion")]
    assert told == await studio.of(batch)
    assert seen[-1].suggestion_batch == await studio.get(batch)

    again = [m async for m in studio.lib.planning.WatchSuggestionBatch(
        pb.WatchSuggestionBatchRequest(name=batch.name)
    )]  # fmt: skip
    assert [m.suggestion.rank for m in again] == [1, 2, 3]


async def test_the_same_request_is_one_batch(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    request_id = str(uuid.uuid4())
    first = await studio.ask(persona, 2, request_id=request_id)
    assert await studio.ask(persona, 2, request_id=request_id) == first
    with pytest.raises(AlreadyExists):
        await studio.ask(persona, 3, request_id=request_id)


async def test_what_cannot_be_written_for_is_refused(studio: Studio) -> None:
    persona, pillar = await planned(studio.lib)
    _, foreign = await planned(studio.lib)
    with pytest.raises(NotFound):
        await studio.ask("personas/nobody")
    with pytest.raises(NotFound):
        await studio.ask(persona, pillars=[foreign])
    with pytest.raises(NotFound):
        await studio.ask(persona, pillars=[f"{persona}/pillars/none"])
    with pytest.raises(FailedPrecondition, match="no pillar yet"):
        await studio.ask(await studio.lib.persona())
    for wrong in ({"count": 101}, {"count": -1}, {"pillars": [pillar, pillar]}):
        with pytest.raises(InvalidArgument):
            await studio.ask(persona, **wrong)  # type: ignore[arg-type]
    request = catalog_pb.ArchivePersonaRequest(name=persona)
    await studio.lib.stub.ArchivePersona(request)
    with pytest.raises(FailedPrecondition) as archived:
        await studio.ask(persona)
    assert archived.value.reason == "ARCHIVED"


async def test_an_accepted_suggestion_becomes_a_run(studio: Studio, one: Suggestion) -> None:
    answer = await studio.accept(one.name)
    run, used = answer.run, answer.suggestion
    assert used.state == Suggestion.STATE_USED
    assert (used.run, used.etag) == (run.name, "2")
    assert run.state == run_pb2.Run.STATE_RUNNING
    assert (run.suggestion, run.pillar) == (one.name, one.pillar)
    assert (run.prompt, run.display_name) == (one.prompt, one.title)
    assert await studio.lib.planning.GetRun(pb.GetRunRequest(name=run.name)) == run
    assert (await studio.accept(one.name, etag="long gone")).run == run, "used is final"


async def test_a_run_leads_back_to_the_gap_that_asked_for_it(
    studio: Studio, one: Suggestion
) -> None:
    request_id = str(uuid.uuid4())
    run = (await studio.accept(one.name, request_id=request_id)).run
    assert (await studio.accept(one.name, request_id=request_id)).run == run
    planning = studio.lib.planning
    found = await planning.GetRun(pb.GetRunRequest(name=run.name))
    suggestion = await planning.GetSuggestion(pb.GetSuggestionRequest(name=found.suggestion))
    report = await planning.GetGapReport(pb.GetGapReportRequest(name=suggestion.gap_report))
    (gap,) = [gap for gap in report.pillars if gap.pillar == run.pillar]
    assert (gap.gap, suggestion.run) == (suggestion.gap, run.name)


async def test_however_often_it_is_accepted_there_is_one_run(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    for suggestion in await studio.made(persona, 8):
        answers = await asyncio.gather(*(studio.accept(suggestion.name) for _ in range(12)))
        assert len({answer.run.name for answer in answers}) == 1
        assert {answer.suggestion.run for answer in answers} == {answers[0].run.name}
    assert (
        len(
            await studio.lib.rows(
                "SELECT FROM catalog.runs WHERE persona_id = :id",
                id=persona.removeprefix("personas/"),
            )
        )
        == 8
    )


async def test_a_suggestion_is_accepted_or_turned_down_never_both(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    for suggestion in await studio.made(persona, 5):
        outcomes = await asyncio.gather(
            studio.accept(suggestion.name),
            studio.reject(suggestion.name, "no"),
            return_exceptions=True,
        )
        refused = [o for o in outcomes if isinstance(o, FailedPrecondition)]
        assert [error.reason for error in refused] == ["SUGGESTION_DECIDED"]


async def test_an_edit_goes_by_mask_and_etag(studio: Studio, one: Suggestion) -> None:
    async def update(etag: str, *paths: str, **fields: Any) -> Suggestion:
        changed = Suggestion(name=one.name, etag=etag, **fields)
        request = pb.UpdateSuggestionRequest(suggestion=changed, update_mask=FieldMask(paths=paths))
        return await studio.lib.planning.UpdateSuggestion(request)

    edited = await update("1", "title", "keywords", title=" My own ", prompt="not masked")
    assert (edited.title, edited.prompt, list(edited.keywords)) == ("My own", one.prompt, [])
    assert (edited.etag, edited.state) == ("2", Suggestion.STATE_PENDING)
    with pytest.raises(Conflict) as stale:
        await update("1", "title", title="Too late")
    assert stale.value.reason == "STALE_ETAG"
    with pytest.raises(InvalidArgument) as empty:
        await update("2", "title", "prompt", title="  ")
    assert [v.field for v in empty.value.violations] == ["suggestion.title", "suggestion.prompt"]
    with pytest.raises(InvalidArgument, match="cannot be changed"):
        await update("2", "pillar", pillar="personas/other/pillars/x")
    assert (await update("2", "reason", reason="mine")) == edited, "only the server says why"
    await studio.accept(one.name)
    with pytest.raises(FailedPrecondition) as decided:
        await update("", "title", title="After all")
    assert decided.value.reason == "SUGGESTION_DECIDED"


async def test_turning_down_keeps_the_reason_and_is_repeatable_by_request(
    studio: Studio, one: Suggestion
) -> None:
    request_id = str(uuid.uuid4())
    rejected = await studio.reject(one.name, " Too dark. ", request_id=request_id)
    assert (rejected.state, rejected.reject_reason) == (Suggestion.STATE_REJECTED, "Too dark.")
    assert await studio.reject(one.name, " Too dark. ", request_id=request_id) == rejected
    for decide in (studio.reject, studio.accept):
        with pytest.raises(FailedPrecondition) as decided:
            await decide(one.name)
        assert decided.value.reason == "SUGGESTION_DECIDED"
    with pytest.raises(Conflict):
        await studio.accept(one.name, etag="1")


async def test_only_what_was_turned_down_can_be_deleted(studio: Studio, one: Suggestion) -> None:
    async def delete(**fields: Any) -> None:
        request = pb.DeleteSuggestionRequest(name=one.name, **fields)
        await studio.lib.planning.DeleteSuggestion(request)

    with pytest.raises(FailedPrecondition) as pending:
        await delete()
    assert pending.value.reason == "SUGGESTION_NOT_REJECTED"
    await studio.reject(one.name)
    with pytest.raises(Conflict):
        await delete(etag="1")
    request_id = str(uuid.uuid4())
    await delete(request_id=request_id)
    await delete(request_id=request_id)
    with pytest.raises(NotFound):
        await delete()


async def test_what_is_turned_down_is_kept_away_from(studio: Studio) -> None:
    persona, _ = await planned(studio.lib)
    first = (await studio.made(persona, 1))[0]
    await studio.reject(first.name, "Seen it.")
    later = await studio.made(persona, 10)
    assert first.prompt not in {s.prompt for s in later}


async def test_a_suggestion_of_somebody_else_is_not_found(studio: Studio, one: Suggestion) -> None:
    other = await studio.lib.persona()
    foreign = f"{other}/suggestions/{one.name.rpartition('/')[2]}"
    calls: list[Callable[[], Any]] = [
        lambda: studio.accept(foreign),
        lambda: studio.reject(foreign),
        lambda: studio.lib.planning.GetSuggestion(pb.GetSuggestionRequest(name=foreign)),
        lambda: studio.lib.planning.DeleteSuggestion(pb.DeleteSuggestionRequest(name=foreign)),
        lambda: studio.lib.planning.UpdateSuggestion(
            pb.UpdateSuggestionRequest(suggestion=Suggestion(name=foreign, title="Mine now"))
        ),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call()
    batch = one.suggestion_batch.replace(one.name.rpartition("/suggestions")[0], other)
    with pytest.raises(NotFound):
        await studio.lib.planning.GetSuggestionBatch(pb.GetSuggestionBatchRequest(name=batch))
    with pytest.raises(NotFound):
        watch = studio.lib.planning.WatchSuggestionBatch(pb.WatchSuggestionBatchRequest(name=batch))
        async for _ in watch:
            pass


async def test_lists_are_paged_newest_first_and_filtered(studio: Studio) -> None:
    persona = await studio.lib.persona()
    one = await studio.lib.pillar(persona, weight=50)
    two = await studio.lib.pillar(persona, weight=50)
    batches = []
    for _ in range(3):
        batches.append(await studio.ask(persona, 4))
        await studio.write(batches[-1])
        studio.lib.clock.advance(60)
    found: list[Suggestion] = []
    token = ""
    while True:
        request = pb.ListSuggestionsRequest(parent=persona, page_size=5, page_token=token)
        page = await studio.lib.planning.ListSuggestions(request)
        found += page.suggestions
        token = page.next_page_token
        if not token:
            break
    assert len(found) == len({s.name for s in found}) == 12
    times = [s.create_time.ToNanoseconds() for s in found]
    assert times == sorted(times, reverse=True)
    accepted = await studio.accept(found[0].name)
    await studio.reject(found[1].name)

    async def count(filter: str) -> int:
        request = pb.ListSuggestionsRequest(parent=persona, filter=filter)
        return len((await studio.lib.planning.ListSuggestions(request)).suggestions)

    assert await count('state = "USED"') == 1
    assert await count('state != "PENDING"') == 2
    assert await count(f'pillar = "{one}" AND state = "PENDING"') + await count(
        f'pillar = "{two}" AND state = "PENDING"'
    ) == 10  # fmt: skip
    assert await count(f'suggestion_batch = "{batches[0].name}"') == 4
    assert await count(f'suggestion_batch != "{batches[0].name}"') == 8
    assert await count(f'campaign = "{persona}/campaigns/{uuid.uuid4()}"') == 0
    for wrong in ('state = "MAYBE"', 'title = "x"', 'pillar = "personas/other/pillars/x"'):
        with pytest.raises(InvalidArgument) as raised:
            await count(wrong)
        assert raised.value.violations[0].field == "filter"

    listed = await studio.lib.planning.ListSuggestionBatches(
        pb.ListSuggestionBatchesRequest(parent=persona)
    )
    assert [b.name for b in listed.suggestion_batches] == [b.name for b in reversed(batches)]

    async def runs(filter: str) -> list[run_pb2.Run]:
        request = pb.ListRunsRequest(parent=persona, filter=filter)
        return list((await studio.lib.planning.ListRuns(request)).runs)

    assert await runs("") == [accepted.run]
    assert await runs(f'suggestion = "{found[0].name}"') == [accepted.run]
    assert await runs(f'pillar = "{found[0].pillar}" AND state = "RUNNING"') == [accepted.run]
    assert await runs('pillar = "none"') == []
    assert await runs('pillar != "none"') == [accepted.run]
    assert await runs('state = "FAILED"') == []
    with pytest.raises(InvalidArgument):
        await runs('state = "PENDING"')
    with pytest.raises(NotFound):
        await studio.lib.planning.ListRuns(pb.ListRunsRequest(parent="personas/nobody"))


async def test_a_run_outlives_its_pillar(studio: Studio, one: Suggestion) -> None:
    run = (await studio.accept(one.name)).run
    await studio.lib.stub.DeletePillar(catalog_pb.DeletePillarRequest(name=one.pillar))
    with pytest.raises(NotFound):
        await studio.lib.planning.GetSuggestion(pb.GetSuggestionRequest(name=one.name))
    persona = run.name.rpartition("/runs")[0]
    request = pb.ListRunsRequest(parent=persona, filter='pillar = "none"')
    (left,) = (await studio.lib.planning.ListRuns(request)).runs
    assert (left.name, left.pillar, left.suggestion) == (run.name, "", "")
    assert left.prompt == run.prompt


async def test_a_pillar_that_goes_while_its_batch_waits_is_passed_over(studio: Studio) -> None:
    persona, pillar = await planned(studio.lib)
    other = await studio.lib.pillar(persona, weight=30)
    batch = await studio.ask(persona, 6)
    await studio.lib.stub.DeletePillar(catalog_pb.DeletePillarRequest(name=pillar))
    await studio.write(batch)
    assert {s.pillar for s in await studio.of(batch)} == {other}
    assert (await studio.get(batch)).state == JobState.JOB_STATE_SUCCEEDED


async def test_no_call_takes_more_than_five_statements(studio: Studio, one: Suggestion) -> None:
    persona = one.name.rpartition("/suggestions")[0]
    counts = {}

    async def counted(name: str, call: Any) -> None:
        async with studio.lib.statements() as seen:
            await call
        counts[name] = len(seen)

    await counted("create", studio.ask(persona))
    request = pb.ListSuggestionsRequest(parent=persona)
    await counted("list", studio.lib.planning.ListSuggestions(request))
    await counted("accept", studio.accept(one.name))
    assert {name: n for name, n in counts.items() if not 1 <= n <= 5} == {}, counts
