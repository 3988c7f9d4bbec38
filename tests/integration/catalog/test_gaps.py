"""The gap report through the service: a hand-counted persona, time, scenes, snapshots, cost."""

import uuid
from collections import Counter
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import gap_report_pb2, pillar_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from services.catalog.domain.photo import Embedding, EmbeddingState, Rights, Usage
from services.catalog.domain.supply import Condition, Standing
from tests.integration.catalog.library import Library

Gap = gap_report_pb2.PillarGap
Advice = gap_report_pb2.GapRecommendation
Pillar = pillar_pb2.Pillar

PENDING = Embedding()
READY = Embedding(EmbeddingState.READY, "net", "1")
FAILED = Embedding(EmbeddingState.FAILED, error_reason="DAMAGED_IMAGE", error_message="No.")


def at(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


async def analyze(lib: Library, persona: str, **fields: Any) -> gap_report_pb2.GapReport:
    request = pb.AnalyzeGapsRequest(parent=persona, **fields)
    return (await lib.stub.AnalyzeGaps(request)).gap_report


async def test_a_persona_counted_by_hand(lib: Library) -> None:
    persona = await lib.persona()
    coffee = await lib.pillar(persona, display_name="Coffee", weight=50)
    city = await lib.pillar(persona, display_name="City", weight=30, posts_per_week=1)
    await lib.pillar(persona, display_name="Sea", weight=20)
    old = await lib.pillar(persona, display_name="Old", state=Pillar.STATE_INACTIVE, weight=40)
    now = lib.clock.now()

    async def shelve(pillar: str, count: int, age: float = 1.0, **fields: Any) -> None:
        for _ in range(count):
            await lib.shelve(pillar, create_time=now - timedelta(days=age), **fields)

    posted = {"usage": Usage.POSTED, "posted_time": now - timedelta(days=2)}
    await shelve(coffee, 4, 40)
    await shelve(coffee, 1, 20, embedding=PENDING)
    await shelve(coffee, 2, 20, embedding=FAILED)
    await shelve(coffee, 1, 20, rights=Rights(held=True))
    await shelve(coffee, 1, 20, usage=Usage.SCHEDULED)
    await shelve(coffee, 1, 50, **posted)
    await shelve(city, 5, 70)
    await shelve(city, 3, 90, **posted)
    await shelve(old, 2, 3)

    report = await analyze(lib, persona)
    assert (report.horizon_days, report.as_of_time) == (30, at(now))
    assert [gap.display_name for gap in report.pillars] == ["Sea", "Coffee", "City", "Old"]
    sea, first, second, last = report.pillars

    # 3 posts a week over 30 days are ceil(90/7) = 13; of these 50 % are 7, 20 % are 3.
    assert first.supply == gap_report_pb2.Supply(
        total=10, usable=4, effective=4.0, pending=1, scheduled=1, spent=1, held=3
    )
    assert (first.needed, first.gap, first.raw_gap) == (7, 3.0, 3)
    assert first.days_of_stock == pytest.approx(4 / (1.5 / 7))
    assert first.coverage_score == 55.0  # 70 * 4/7 + 0.3 * 50
    assert first.legacy_score == 26.0  # 0.6 * 10 + 0.4 * 50
    assert (first.status, first.priority) == (Gap.STATUS_LOW, Gap.PRIORITY_MEDIUM)
    assert first.posted_share == 25.0

    # One post a week over 30 days is ceil(30/7) = 5.
    assert (second.needed, second.supply.usable, second.gap) == (5, 5, 0.0)
    assert second.days_of_stock == pytest.approx(35.0)
    assert (second.coverage_score, second.posted_share) == (70.0, 75.0)
    assert (second.status, second.priority) == (Gap.STATUS_READY, Gap.PRIORITY_LOW)
    assert second.last_photo_time == at(now - timedelta(days=70))

    assert (sea.needed, sea.gap, sea.days_of_stock) == (3, 3.0, 0.0)
    assert (sea.status, sea.priority) == (Gap.STATUS_EXHAUSTED, Gap.PRIORITY_HIGH)
    assert not sea.HasField("last_photo_time")

    assert (last.planned, last.needed, last.gap) == (False, 0, -2.0)
    assert not last.HasField("days_of_stock")
    assert report.total_gap == 6.0
    assert report.imbalance == 45.0  # City: 75 % of the posts, weight 30

    assert [advice.pillar.rpartition("/")[2] for advice in report.recommendations] == [
        "sea",
        "coffee",
        "city",
    ]
    assert [list(advice.reasons) for advice in report.recommendations] == [
        [Advice.REASON_NONE_YET, Advice.REASON_UNDER_POSTED],
        [Advice.REASON_LOW_STOCK],
        [Advice.REASON_STALE],
    ]
    assert report.recommendations[1].explanation == (
        "Coffee has 4 photos to use and needs 7 for the next 30 days; 3 are missing."
    )


async def test_near_copies_count_little_and_distinct_photos_count_in_full(lib: Library) -> None:
    persona, pillar = await lib.place()

    async def effective() -> float:
        return (await analyze(lib, persona)).pillars[0].supply.effective

    first = await lib.shelve(pillar)
    before = await effective()
    for _ in range(10):
        await lib.shelve(pillar, scene=first.id)
    with_copies = await effective()
    for _ in range(10):
        await lib.shelve(pillar)
    assert before == 1.0
    assert 0 < with_copies - before < 1.5
    assert await effective() - with_copies >= 9


async def test_conditions_of_the_database_are_those_of_the_domain(lib: Library) -> None:
    persona, pillar = await lib.place()
    now = lib.clock.now()
    hour = timedelta(hours=1)
    rights = {
        (False, False, False): Rights(embargo_time=now, expire_time=now),
        (True, False, False): Rights(held=True),
        (False, True, False): Rights(embargo_time=now + hour),
        (False, False, True): Rights(expire_time=now - hour),
    }
    expected: Counter[Standing] = Counter()
    embeddings = (PENDING, READY, FAILED)
    for usage, embedding, said in product(Usage, embeddings, rights):
        posted = now if usage is Usage.POSTED else None
        photo = {"usage": usage, "embedding": embedding, "posted_time": posted}
        await lib.shelve(pillar, rights=rights[said], **photo)
        expected[Condition(usage, embedding.state, *said).standing] += 1
    supply = (await analyze(lib, persona)).pillars[0].supply
    assert {
        Standing.USABLE: supply.usable,
        Standing.PENDING: supply.pending,
        Standing.SCHEDULED: supply.scheduled,
        Standing.SPENT: supply.spent,
        Standing.HELD: supply.held,
    } == expected
    assert supply.total == 36


async def test_as_of_is_honoured(lib: Library) -> None:
    persona = await lib.persona()
    now = lib.clock.now()
    pillar = await lib.pillar(persona, weight=100, end_time=at(now + timedelta(days=10)))
    await lib.shelve(pillar, create_time=now - timedelta(days=20))
    await lib.shelve(pillar, rights=Rights(embargo_time=now + timedelta(days=3)))
    await lib.shelve(
        pillar,
        usage=Usage.POSTED,
        create_time=now - timedelta(days=99),
        posted_time=now - timedelta(days=31),
    )

    async def at_day(days: int) -> Gap:
        when = at(now + timedelta(days=days))
        return (await analyze(lib, persona, as_of_time=when)).pillars[0]

    assert ((await at_day(0)).supply.usable, (await at_day(0)).supply.held) == (1, 1)
    assert ((await at_day(4)).supply.usable, (await at_day(4)).supply.held) == (2, 0)
    assert (await at_day(-1)).supply.total == 2, "what came in later is not counted"
    assert ((await at_day(0)).posted_share, (await at_day(-2)).posted_share) == (0.0, 100.0)
    assert ((await at_day(9)).planned, (await at_day(10)).planned) == (True, False)
    one, other = [await analyze(lib, persona, as_of_time=at(now)) for _ in range(2)]
    assert one.name != other.name
    one.ClearField("name")
    other.ClearField("name")
    assert one == other


async def test_the_snapshot_is_kept_and_given_again(lib: Library) -> None:
    persona, pillar = await lib.place()
    request = {"request_id": str(uuid.uuid4()), "horizon_days": 7}
    report = await analyze(lib, persona, **request)
    await lib.shelve(pillar)
    assert await analyze(lib, persona, **request) == report
    rows = await lib.rows(
        "SELECT body FROM catalog.gap_reports WHERE id = :id", id=report.name.rpartition("/")[2]
    )
    assert rows[0].body["horizon_days"] == 7
    assert report.pillars[0].supply.total == 0


async def test_all_covered_gives_no_recommendation(lib: Library) -> None:
    persona = await lib.persona()
    pillar = await lib.pillar(persona, weight=10)
    for _ in range(2):
        await lib.shelve(pillar)
    report = await analyze(lib, persona)
    assert (report.pillars[0].needed, report.total_gap) == (2, 0.0)
    assert list(report.recommendations) == []


async def test_what_is_refused(lib: Library) -> None:
    persona = await lib.persona()
    with pytest.raises(FailedPrecondition) as raised:
        await analyze(lib, persona)
    assert raised.value.reason == "NO_PILLARS"
    with pytest.raises(NotFound):
        await analyze(lib, "personas/nobody-here")
    for days in (-1, 366):
        with pytest.raises(InvalidArgument):
            await analyze(lib, persona, horizon_days=days)


async def test_it_costs_five_statements_at_most(lib: Library) -> None:
    persona = await lib.persona()
    for _ in range(6):
        pillar = await lib.pillar(persona)
        await lib.shelve(pillar)
        await lib.shelve(pillar, usage=Usage.SCHEDULED)
    async with lib.statements() as seen:
        report = await analyze(lib, persona, request_id=str(uuid.uuid4()))
    assert len(report.pillars) == 6
    assert len(seen) <= 5
