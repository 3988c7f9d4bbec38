"""The gap report through the service: a hand-counted persona, time, scenes, snapshots, cost."""

import uuid
from collections import Counter
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import product
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import gap_report_pb2, persona_pb2, pillar_pb2
from colonnade.catalog.v1 import planning_service_pb2 as planning
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from services.catalog.domain.measures import Measure
from services.catalog.domain.photo import (
    Embedding,
    EmbeddingState,
    Filing,
    FilingState,
    PhotoState,
    Picture,
    Rights,
    Usage,
)
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
    assert second.run_out_time == at(now + timedelta(days=35))
    assert (second.coverage_score, second.posted_share) == (70.0, 75.0)
    assert (second.status, second.priority) == (Gap.STATUS_READY, Gap.PRIORITY_LOW)
    assert second.last_photo_time == at(now - timedelta(days=70))

    assert (sea.needed, sea.gap, sea.days_of_stock) == (3, 3.0, 0.0)
    assert (sea.status, sea.priority) == (Gap.STATUS_EXHAUSTED, Gap.PRIORITY_HIGH)
    assert not sea.HasField("last_photo_time")

    assert (last.planned, last.needed, last.gap) == (False, 0, -2.0)
    assert not last.HasField("days_of_stock")
    assert not last.HasField("run_out_time")
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
    for usage, embedding, said, filed in product(Usage, embeddings, rights, FilingState):
        posted = now if usage is Usage.POSTED else None
        photo = {"usage": usage, "embedding": embedding, "posted_time": posted}
        filing = Filing(filed, reason="As the test says.")
        await lib.shelve(pillar, rights=rights[said], filing=filing, **photo)
        unsorted = filed in (FilingState.PENDING, FilingState.REVIEW)
        expected[Condition(usage, embedding.state, *said, unsorted).standing] += 1
    supply = (await analyze(lib, persona)).pillars[0].supply
    assert {
        Standing.USABLE: supply.usable,
        Standing.PENDING: supply.pending,
        Standing.SCHEDULED: supply.scheduled,
        Standing.SPENT: supply.spent,
        Standing.HELD: supply.held,
        Standing.UNSORTED: supply.unsorted,
    } == expected
    assert supply.total == 144


async def test_a_scene_is_one_scene_however_its_photos_were_filed(lib: Library) -> None:
    persona, pillar = await lib.place()
    first = await lib.shelve(pillar)
    await lib.shelve(pillar, scene=first.id, filing=Filing(FilingState.PROPOSED))
    await lib.shelve(pillar, scene=first.id, filing=Filing(FilingState.REVIEW))
    supply = (await analyze(lib, persona)).pillars[0].supply
    assert (supply.usable, supply.unsorted, supply.effective) == (2, 1, 1.25)


async def test_archived_photos_are_counted_nowhere(lib: Library) -> None:
    persona, pillar = await lib.place()
    now = lib.clock.now()
    await lib.shelve(pillar, create_time=now - timedelta(days=40))
    before = await analyze(lib, persona, as_of_time=at(now))
    for usage in Usage:
        posted = {"posted_time": now} if usage is Usage.POSTED else {}
        await lib.shelve(pillar, state=PhotoState.ARCHIVED, usage=usage, **posted)
    after = await analyze(lib, persona, as_of_time=at(now))
    assert after.pillars[0].supply.total == 1
    after.name = before.name
    assert after == before, "neither counts, nor scores, nor shares, nor the newest photo"


async def test_quality_is_the_mean_of_the_usable_photos_that_were_measured(lib: Library) -> None:
    persona, pillar = await lib.place()
    assert not (await analyze(lib, persona)).pillars[0].HasField("average_quality")
    await lib.shelve(pillar)
    assert not (await analyze(lib, persona)).pillars[0].HasField("average_quality")
    for value in (0.1, 0.2, 0.6):
        await lib.shelve(pillar, picture=measured(value))
    await lib.shelve(pillar, picture=measured(1.0), rights=Rights(held=True))
    assert (await analyze(lib, persona)).pillars[0].average_quality == pytest.approx(0.3)


def measured(value: float) -> Picture:
    digest = sha256(uuid.uuid4().bytes).hexdigest()
    measures = (Measure("sharpness", value),)
    return Picture(digest, "image/jpeg", 1000, 40, 30, digest, measures=measures)


async def test_the_cadence_of_the_persona_says_how_much_is_needed(lib: Library) -> None:
    persona = await lib.persona(cadence=persona_pb2.Cadence(posts_per_week=7))
    pillar = await lib.pillar(persona, weight=50)
    own = await lib.pillar(persona, weight=10, posts_per_week=7)
    for name in (pillar, own):
        for _ in range(7):
            await lib.shelve(name)
    gaps = {gap.pillar: gap for gap in (await analyze(lib, persona)).pillars}
    now = lib.clock.now()
    assert (gaps[pillar].needed, gaps[own].needed) == (15, 30)
    assert (gaps[pillar].days_of_stock, gaps[own].days_of_stock) == (14.0, 7.0)
    assert gaps[pillar].run_out_time == at(now + timedelta(days=14))
    assert gaps[own].run_out_time == at(now + timedelta(days=7))

    default = await lib.persona(cadence=persona_pb2.Cadence(min_gap_hours=48))
    await lib.pillar(default, weight=50)
    (gap,) = (await analyze(lib, default)).pillars
    assert (gap.needed, gap.run_out_time) == (7, at(now)), "0 posts a week mean 3"


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


async def get(lib: Library, name: str) -> gap_report_pb2.GapReport:
    return await lib.planning.GetGapReport(planning.GetGapReportRequest(name=name))


async def test_reports_are_listed_newest_first_and_got_again(lib: Library) -> None:
    persona, pillar = await lib.place()
    made = []
    for _ in range(5):
        await lib.shelve(pillar)
        lib.clock.advance(1)
        made.append(await analyze(lib, persona))
    other, _ = await lib.place()
    await analyze(lib, other)
    assert [await get(lib, report.name) for report in made] == made

    listed: list[gap_report_pb2.GapReport] = []
    token = ""
    while True:
        request = planning.ListGapReportsRequest(parent=persona, page_size=2, page_token=token)
        page = await lib.planning.ListGapReports(request)
        assert len(page.gap_reports) <= 2
        listed += page.gap_reports
        token = page.next_page_token
        if not token:
            break
    assert listed == made[::-1]


async def test_reports_that_are_not_there(lib: Library) -> None:
    persona, _ = await lib.place()
    report = await analyze(lib, persona)
    other = await lib.persona()
    id = report.name.rpartition("/")[2]
    for name in (f"{other}/gapReports/{id}", f"{persona}/gapReports/{uuid.uuid4()}"):
        with pytest.raises(NotFound):
            await get(lib, name)
    assert not (
        await lib.planning.ListGapReports(planning.ListGapReportsRequest(parent=other))
    ).gap_reports
    with pytest.raises(NotFound):
        request = planning.ListGapReportsRequest(parent="personas/nobody-here")
        await lib.planning.ListGapReports(request)


async def test_a_report_of_an_older_release_can_be_read(lib: Library) -> None:
    persona, _ = await lib.place()
    report = await analyze(lib, persona)
    id = report.name.rpartition("/")[2]
    await lib.rows(
        """UPDATE catalog.gap_reports SET body = jsonb_set(
             body #- '{pillars,0,run_out_time}' #- '{pillars,0,average_quality}',
             '{pillars,0,supply}', (body #> '{pillars,0,supply}') - 'unsorted')
           WHERE id = :id""",
        id=id,
    )
    assert await get(lib, report.name) == report


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
    async with lib.statements() as seen:
        await get(lib, report.name)
        await lib.planning.ListGapReports(planning.ListGapReportsRequest(parent=persona))
    assert len(seen) <= 2


async def test_horizons_at_the_limits(lib: Library) -> None:
    persona = await lib.persona()
    await lib.pillar(persona, weight=100)
    needs = {
        days: (await analyze(lib, persona, horizon_days=days)).pillars[0].needed
        for days in (0, 1, 365)
    }
    assert needs == {0: 13, 1: 1, 365: 157}, "0 means 30 days"
    with pytest.raises(InvalidArgument) as raised:
        await analyze(lib, persona, horizon_days=366)
    assert [v.field for v in raised.value.violations] == ["horizon_days"]


async def test_inactive_and_ended_pillars_are_shown_but_not_recommended(lib: Library) -> None:
    persona = await lib.persona()
    now = lib.clock.now()
    await lib.pillar(persona, display_name="On", weight=20)
    await lib.pillar(persona, display_name="Off", weight=20, state=Pillar.STATE_INACTIVE)
    past = at(now - timedelta(seconds=1))
    await lib.pillar(persona, display_name="Over", weight=20, end_time=past)
    await lib.pillar(persona, display_name="Soon", weight=20, start_time=at(now + timedelta(1)))
    report = await analyze(lib, persona)
    assert [gap.display_name for gap in report.pillars if gap.planned] == ["On"]
    assert {gap.display_name for gap in report.pillars} == {"On", "Off", "Over", "Soon"}
    assert [a.pillar for a in report.recommendations] == [f"{persona}/pillars/on"]
