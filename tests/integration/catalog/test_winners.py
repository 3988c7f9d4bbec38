"""Winners, the photos they become, and the way back from these."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import photo_pb2, suggestion_pb2
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1 import run_service_pb2 as pb
from colonnade.catalog.v1.run_pb2 import Candidate, Run
from colonnade.events.v1 import event_pb2

from libs.errors import FailedPrecondition, NotFound
from services.catalog.domain.names import photo_key
from services.catalog.domain.photo import PostUse
from services.catalog.usecases.facts import FactCases
from tests.integration.catalog.contest import Contests
from tests.integration.catalog.library import Library, picture
from tests.integration.catalog.world import World


@pytest.fixture
def contests(lib: Library) -> Contests:
    return Contests(lib)


async def photo_of(lib: Library, name: str) -> photo_pb2.Photo:
    return await lib.stub.GetPhoto(catalog.GetPhotoRequest(name=name))


async def photos_in(lib: Library, persona: str) -> int:
    request = catalog.GetLibraryStatsRequest(name=f"{persona}/libraryStats")
    return (await lib.stub.GetLibraryStats(request)).photos


async def use(lib: Library, photo: str, state: str, version: int = 1) -> str:
    """The name of a post that uses the photo, as the scheduler tells of it."""
    persona, _ = photo_key(photo)
    post = f"personas/{persona}/posts/{uuid.uuid4()}"
    facts = FactCases(lib.catalog, lib.clock, lib.cases.filing)
    out = lib.clock.now() if state == "POSTED" else None
    await facts.post_changed(
        str(uuid.uuid4()), photo_key(photo), post, PostUse(state, out), version
    )
    return post


async def created(lib: Library, photo: str) -> list[event_pb2.PhotoCreated]:
    rows = await lib.rows(
        "SELECT payload FROM catalog.outbox WHERE subject = :photo AND type = 'photo.created' "
        "ORDER BY id",
        photo=photo,
    )
    return [event_pb2.PhotoCreated.FromString(row.payload) for row in rows]


async def test_the_winner_becomes_a_photo_of_the_pillar(lib: Library, contests: Contests) -> None:
    persona = await lib.persona()
    suggestion = await World(lib).suggestion(persona)
    cluster = f"{persona}/clusters/{uuid.uuid4()}"
    run, (one, other) = await contests.filled(persona, suggestion=suggestion.name, cluster=cluster)
    await contests.vote(one, other)
    answer = await contests.choose(one)
    photo = answer.photo
    assert (answer.run.state, answer.run.winner) == (Run.STATE_COMPLETED, one)
    assert (answer.run.photo, photo.pillar) == (photo.name, suggestion.pillar)
    assert photo.filing.state == photo_pb2.Filing.STATE_CONFIRMED
    candidate = await lib.runs.GetCandidate(pb.GetCandidateRequest(name=one))
    assert candidate.state == Candidate.STATE_WINNER
    assert (photo.sha256, photo.width) == (candidate.sha256, candidate.width)
    info, data, _ = await lib.media(photo.name)
    assert info.size_bytes == len(data) > 0
    lineage = photo.lineage
    assert (lineage.run, lineage.candidate) == (run, one)
    assert (lineage.suggestion, lineage.campaign) == (suggestion.name, suggestion.campaign)
    assert await photo_of(lib, photo.name) == photo
    (event,) = await created(lib, photo.name)
    assert (event.suggestion, event.cluster) == (suggestion.name, cluster)
    assert (event.pillar, event.sha256) == (suggestion.pillar, photo.sha256)
    assert await contests.choose(one) == answer, "again, nothing changes"
    assert await lib.events(photo.name) == ["photo.created"]


@pytest.mark.parametrize("same", [True, False])
async def test_of_closes_at_the_same_time_there_is_one_photo(
    lib: Library, contests: Contests, same: bool
) -> None:
    persona, pillar = await lib.place()
    run, names = await contests.filled(persona, 2, pillar=pillar)
    chosen = [names[0] if same else names[turn % 2] for turn in range(10)]
    answers = await asyncio.gather(*(contests.choose(name) for name in chosen))
    assert await photos_in(lib, persona) == 1
    last = await contests.get(run)
    photo = await photo_of(lib, last.photo)
    assert photo.lineage.candidate == last.winner
    winners = await lib.rows(
        "SELECT 1 FROM catalog.candidates WHERE run_id = :run AND state = 'WINNER'",
        run=run.rpartition("/")[2],
    )
    assert len(winners) == 1
    if same:
        assert all(answer == answers[0] for answer in answers)
        assert await lib.events(photo.name) == ["photo.created"]


async def test_another_winner_swaps_the_photo_unless_a_post_uses_it(
    lib: Library, contests: Contests
) -> None:
    persona, pillar = await lib.place()
    run, (one, other) = await contests.filled(persona, pillar=pillar)
    first = (await contests.choose(one)).photo
    second = (await contests.choose(other)).photo
    assert first.name != second.name
    with pytest.raises(NotFound):
        await photo_of(lib, first.name)
    assert await lib.events(first.name) == ["photo.created", "photo.deleted"]
    assert await photos_in(lib, persona) == 1
    before = await lib.runs.GetCandidate(pb.GetCandidateRequest(name=one))
    assert before.state == Candidate.STATE_ACTIVE
    await use(lib, second.name, "SCHEDULED")
    unchoose = pb.UnchooseWinnerRequest(name=run)
    reject = pb.RejectCandidateRequest(name=other)
    for state in ("SCHEDULED", "POSTED"):
        post = await use(lib, second.name, state, version=2)
        for refused in (
            contests.choose(one),
            lib.runs.UnchooseWinner(unchoose),
            lib.runs.RejectCandidate(reject),
        ):
            with pytest.raises(FailedPrecondition) as raised:
                await refused
            assert raised.value.reason == "PHOTO_IN_USE"
        kept = await contests.get(run)
        assert (kept.winner, kept.photo) == (other, second.name)
        assert post in {use.post for use in (await photo_of(lib, second.name)).posts}


async def test_a_choice_can_be_taken_back(lib: Library, contests: Contests) -> None:
    persona, pillar = await lib.place()
    run, (one, other) = await contests.filled(persona, pillar=pillar)
    unchoose = pb.UnchooseWinnerRequest(name=run)
    with pytest.raises(FailedPrecondition) as raised:
        await lib.runs.UnchooseWinner(unchoose)
    assert raised.value.reason == "NO_WINNER"
    await contests.choose(one)
    after = (await lib.runs.UnchooseWinner(unchoose)).run
    assert (after.state, after.winner, after.photo) == (Run.STATE_WAITING, "", "")
    assert await photos_in(lib, persona) == 0
    await contests.vote(one, other)
    again = (await contests.choose(one)).run
    assert again.winner == one
    await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=one))
    left = await contests.get(run)
    assert (left.state, left.winner, left.photo) == (Run.STATE_WAITING, "", "")


async def test_a_rejected_winner_that_is_no_photo_yet_opens_its_run_again(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run, (one, other) = await contests.filled(persona)
    await contests.choose(one)
    await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=one))
    left = await contests.get(run)
    assert (left.state, left.winner) == (Run.STATE_WAITING, "")
    assert (await contests.choose(other)).run.winner == other


async def test_a_winner_without_a_pillar_is_placed_later(lib: Library, contests: Contests) -> None:
    persona, pillar = await lib.place()
    run, (one, _) = await contests.filled(persona)
    place = pb.PlaceWinnerRequest(name=run, pillar=pillar)
    with pytest.raises(FailedPrecondition) as early:
        await lib.runs.PlaceWinner(place)
    assert early.value.reason == "NO_WINNER"
    answer = await contests.choose(one)
    assert (answer.run.state, answer.run.photo) == (Run.STATE_COMPLETED, "")
    assert not answer.HasField("photo")

    async def waiting() -> list[str]:
        request = pb.ListWinnersWithoutPhotoRequest(parent=persona)
        return [run.name for run in (await lib.runs.ListWinnersWithoutPhoto(request)).runs]

    assert await waiting() == [run]
    with pytest.raises(FailedPrecondition) as nowhere:
        await lib.runs.PlaceWinner(pb.PlaceWinnerRequest(name=run))
    assert nowhere.value.reason == "NO_PILLAR"
    _, foreign = await lib.place()
    with pytest.raises(NotFound):
        await lib.runs.PlaceWinner(pb.PlaceWinnerRequest(name=run, pillar=foreign))
    calls = (lib.runs.PlaceWinner(place) for _ in range(4))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    placed = [a for a in answers if isinstance(a, pb.PlaceWinnerResponse)]
    assert len(placed) == 1
    assert (placed[0].run.pillar, placed[0].photo.pillar) == (pillar, pillar)
    reasons = {a.reason for a in answers if isinstance(a, FailedPrecondition)}
    assert reasons == {"WINNER_PLACED"}
    assert await waiting() == []
    assert await photos_in(lib, persona) == 1
    name = placed[0].photo.name
    await lib.stub.DeletePhoto(catalog.DeletePhotoRequest(name=name))
    assert await waiting() == [run], "its photo is gone, and can be made again"
    assert (await lib.runs.PlaceWinner(pb.PlaceWinnerRequest(name=run))).photo.pillar == pillar


async def test_a_picture_that_is_in_the_library_is_not_doubled(
    lib: Library, contests: Contests
) -> None:
    persona, pillar = await lib.place()
    other_pillar = await lib.pillar(persona)
    data = picture(91_919)
    there = await lib.photo(persona, data, pillar=other_pillar)
    suggestion = await World(lib).suggestion(persona)
    run = (await contests.run(persona, suggestion=suggestion.name, pillar=pillar)).name
    name = (await contests.upload(run, data)).candidate.name
    answer = await contests.choose(name)
    assert (answer.photo.name, answer.photo.pillar) == (there.name, other_pillar)
    events = await created(lib, there.name)
    assert [event.suggestion for event in events] == ["", suggestion.name]
    await lib.runs.UnchooseWinner(pb.UnchooseWinnerRequest(name=run))
    kept = await photo_of(lib, there.name)
    assert not kept.HasField("lineage"), "the photo stays; it was there before"


async def test_two_runs_that_end_in_one_picture_share_its_photo(
    lib: Library, contests: Contests
) -> None:
    persona, pillar = await lib.place()
    data = picture(92_929)
    runs = [(await contests.run(persona, pillar=pillar)).name for _ in range(2)]
    names = [(await contests.upload(run, data)).candidate.name for run in runs]
    photos = {(await contests.choose(name)).photo.name for name in names}
    assert len(photos) == 1
    await lib.runs.UnchooseWinner(pb.UnchooseWinnerRequest(name=runs[0]))
    assert (await contests.get(runs[1])).photo in photos
    await photo_of(lib, photos.pop())


async def test_an_archived_persona_gets_no_photo(lib: Library, contests: Contests) -> None:
    persona, pillar = await lib.place()
    run, (one, _) = await contests.filled(persona, pillar=pillar)
    await lib.stub.ArchivePersona(catalog.ArchivePersonaRequest(name=persona))
    for refused in (contests.choose(one), contests.upload(run), contests.run(persona)):
        with pytest.raises(FailedPrecondition) as raised:
            await refused
        assert raised.value.reason == "ARCHIVED"
    assert (await contests.get(run)).winner == ""


async def test_runs_that_wait_for_a_vote_are_part_of_the_supply(
    lib: Library, contests: Contests
) -> None:
    persona, pillar = await lib.place()
    other = await lib.pillar(persona)

    async def counts() -> tuple[int, int, int, int]:
        answer = await lib.stub.AnalyzeGaps(catalog.AnalyzeGapsRequest(parent=persona))
        supply = {gap.pillar: gap.supply for gap in answer.gap_report.pillars}
        stats = await lib.stub.GetLibraryStats(
            catalog.GetLibraryStatsRequest(name=f"{persona}/libraryStats")
        )
        assert sum(s.total for s in supply.values()) == stats.photos
        awaiting = (supply[pillar].awaiting_vote, supply[other].awaiting_vote)
        return *awaiting, stats.awaiting_vote, stats.winners_without_photo

    run = (await contests.run(persona, pillar=pillar)).name
    assert await counts() == (0, 0, 0, 0), "there is nothing to vote on yet"
    one, _ = await contests.candidates(run, 2)
    loose, (first, _) = await contests.filled(persona)
    assert await counts() == (1, 0, 2, 0)
    before = lib.clock.now() - timedelta(days=1)
    early = catalog.AnalyzeGapsRequest(parent=persona)
    early.as_of_time.FromDatetime(before)
    past = (await lib.stub.AnalyzeGaps(early)).gap_report.pillars
    assert {gap.supply.awaiting_vote for gap in past} == {0}
    await contests.choose(first)
    assert await counts() == (1, 0, 1, 1)
    await contests.choose(one)
    assert await counts() == (0, 0, 0, 1)
    await lib.runs.PlaceWinner(pb.PlaceWinnerRequest(name=loose, pillar=other))
    assert await counts() == (0, 0, 0, 0)
    listed = await lib.stub.ListPersonas(catalog.ListPersonasRequest(include_stats=True))
    assert listed.stats


async def test_one_call_tells_the_whole_history(lib: Library, contests: Contests) -> None:
    persona = await lib.persona()
    suggestion = await World(lib).suggestion(persona)
    run, names = await contests.filled(persona, 3, suggestion=suggestion.name)
    await contests.vote(names[2], names[0])
    await contests.vote(names[2], names[1])

    async def told(name: str) -> pb.GetLineageResponse:
        return await lib.runs.GetLineage(pb.GetLineageRequest(name=name))

    early = await told(run)
    assert {c.score for c in early.candidates} == {0}, "hidden while voting goes on"
    photo = (await contests.choose(names[2])).photo
    post = await use(lib, photo.name, "POSTED")
    chain = await told(post)
    assert chain == await told(run) == await told(photo.name)
    assert (chain.campaign, chain.suggestion.name) == (suggestion.campaign, suggestion.name)
    assert chain.suggestion.run == chain.run.name == run
    assert chain.candidate_count == 3
    assert chain.candidates[0].name == chain.run.winner == names[2]
    assert [(v.winner, v.loser) for v in chain.votes] == [
        (names[2], names[1]),
        (names[2], names[0]),
    ]
    assert chain.vote_count == 2
    assert [use.post for use in chain.photo.posts] == [post]
    plain = await lib.photo(persona, pillar=suggestion.pillar)
    alone = await told(plain.name)
    assert alone.photo.name == plain.name
    assert not alone.HasField("run")
    stranger = await lib.persona()
    for foreign in (run, photo.name, post):
        with pytest.raises(NotFound):
            await told(foreign.replace(persona, stranger))


async def test_nothing_is_orphaned_when_parts_of_the_chain_go(
    lib: Library, contests: Contests
) -> None:
    persona = await lib.persona()
    suggestion: suggestion_pb2.Suggestion = await World(lib).suggestion(persona)
    run, (one, _) = await contests.filled(persona, suggestion=suggestion.name)
    photo = (await contests.choose(one)).photo
    await lib.stub.DeletePhoto(catalog.DeletePhotoRequest(name=photo.name))
    chain = await lib.runs.GetLineage(pb.GetLineageRequest(name=run))
    assert not chain.HasField("photo")
    assert (chain.run.winner, chain.run.photo) == (one, "")
    pillar = suggestion.pillar
    await lib.stub.DeletePillar(catalog.DeletePillarRequest(name=pillar))
    chain = await lib.runs.GetLineage(pb.GetLineageRequest(name=run))
    assert not chain.HasField("suggestion")
    assert (chain.run.pillar, chain.candidate_count) == ("", 2)
    listed = await lib.planning.ListRuns(planning.ListRunsRequest(parent=persona))
    assert [r.name for r in listed.runs] == [run]
