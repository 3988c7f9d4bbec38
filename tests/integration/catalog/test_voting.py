"""Votes on candidates: what is asked, what is kept, what is taken back."""

import asyncio
import random
from itertools import combinations

import pytest
from colonnade.catalog.v1 import run_service_pb2 as pb

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from services.catalog.domain.voting import START_SCORE, points
from tests.integration.catalog.contest import Contests
from tests.integration.catalog.library import Library


@pytest.fixture
def contests(lib: Library) -> Contests:
    return Contests(lib)


async def replayed(lib: Library, run: str) -> dict[str, tuple[int, int]]:
    """The scores and votes that the entries give, in their order."""
    rows = await lib.rows(
        "SELECT * FROM catalog.votes WHERE run_id = :run ORDER BY number",
        run=run.rpartition("/")[2],
    )
    scores: dict[str, tuple[int, int]] = {}
    given: dict[str, int] = {}
    for row in rows:
        pair = [f"{run}/candidates/{id}" for id in (row.winner_id, row.loser_id)]
        (won, winner_votes), (lost, loser_votes) = (scores.get(n, (START_SCORE, 0)) for n in pair)
        moved, vote = points(won, lost), 1
        if row.retracts:
            moved, vote = -given[row.retracts], -1
        given[row.id] = moved
        scores[pair[0]] = (won + moved, winner_votes + vote)
        scores[pair[1]] = (lost - moved, loser_votes + vote)
    return scores


async def test_a_vote_moves_points_by_how_surprising_it_is(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    for winner, loser, moved in ((1000, 1000, 16), (800, 1200, 29), (1200, 800, 3)):
        run = (await contests.run(persona)).name
        one, other = await contests.shelve(run, 2)
        for name, score in ((one, winner), (other, loser)):
            id = name.rpartition("/")[2]
            await lib.rows(
                "UPDATE catalog.candidates SET score = :score WHERE id = :id", score=score, id=id
            )
        vote = await contests.vote(one, other)
        assert (vote.winner, vote.loser, vote.voter) == (one, other, "anonymous")
        assert await contests.scores(run) == {one: (winner + moved, 1), other: (loser - moved, 1)}


async def test_a_pair_is_voted_on_once_whichever_way(lib: Library, contests: Contests) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    one, other, third = await contests.shelve(run, 3)
    await contests.vote(one, other)
    for pair in ((one, other), (other, one)):
        with pytest.raises(AlreadyExists):
            await contests.vote(*pair)
    foreign = (await contests.run(persona)).name
    (stranger,) = await contests.shelve(foreign, 1)
    with pytest.raises(InvalidArgument) as same:
        await contests.vote(one, one)
    assert same.value.violations[0].field == "loser"
    with pytest.raises(InvalidArgument) as other_run:
        await contests.vote(one, stranger)
    assert other_run.value.violations[0].field == "loser"
    with pytest.raises(NotFound):
        await contests.vote(one, stranger.replace(foreign, run))
    await lib.rows(
        "UPDATE catalog.candidates SET step = 2 WHERE id = :id", id=third.rpartition("/")[2]
    )
    with pytest.raises(InvalidArgument) as step:
        await contests.vote(one, third)
    assert step.value.violations[0].field == "loser"
    assert sum(votes for _, votes in (await contests.scores(run)).values()) == 2


async def test_of_the_same_vote_at_the_same_time_one_counts(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    one, other = await contests.shelve(run, 2)
    calls = [contests.vote(*pair) for pair in ((one, other), (other, one)) for _ in range(4)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, AlreadyExists) for answer in answers) == 7
    assert sorted(await replayed(lib, run)) == sorted([one, other])
    assert await replayed(lib, run) == await contests.scores(run)


async def test_a_hundred_votes_at_once_keep_the_sum_and_can_be_replayed(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    names = await contests.shelve(run, 15)
    chance = random.Random(4)
    pairs = chance.sample(list(combinations(names, 2)), 100)
    votes = [chance.sample(pair, 2) for pair in pairs]
    await asyncio.gather(*(contests.vote(*vote) for vote in votes))
    scores = await contests.scores(run)
    assert sum(score for score, _ in scores.values()) == START_SCORE * len(names)
    assert sum(count for _, count in scores.values()) == 200
    assert await replayed(lib, run) == scores
    for _ in range(10):
        await lib.runs.UndoVote(pb.UndoVoteRequest(name=run))
    after = await contests.scores(run)
    assert sum(score for score, _ in after.values()) == START_SCORE * len(names)
    assert sum(count for _, count in after.values()) == 180
    assert await replayed(lib, run) == after


async def test_the_last_vote_can_be_taken_back_and_the_pair_asked_again(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    one, other, _third = await contests.shelve(run, 3)
    undo = pb.UndoVoteRequest(name=run)
    first = await contests.vote(one, other)
    undone = (await lib.runs.UndoVote(undo)).vote
    assert (undone.name, undone.retracted) == (first.name, True)
    assert set((await contests.scores(run)).values()) == {(START_SCORE, 0)}
    with pytest.raises(FailedPrecondition) as nothing:
        await lib.runs.UndoVote(undo)
    assert nothing.value.reason == "NO_VOTE"
    await contests.vote(other, one)
    await lib.runs.UndoVote(undo)
    await contests.vote(other, one)
    assert (await contests.scores(run))[other] == (1016, 1)
    rows = await lib.rows(
        "SELECT round, retracts IS NOT NULL AS back FROM catalog.votes WHERE run_id = :run "
        "ORDER BY number",
        run=run.rpartition("/")[2],
    )
    assert [(row.round, row.back) for row in rows] == [
        (0, False),
        (0, True),
        (1, False),
        (1, True),
        (2, False),
    ], "nothing of what was said is gone"


async def test_undoing_at_the_same_time_takes_back_one_vote_each(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    one, other, third = await contests.shelve(run, 3)
    for pair in ((one, other), (other, third), (one, third)):
        await contests.vote(*pair)
    undo = pb.UndoVoteRequest(name=run)
    answers = await asyncio.gather(
        *(lib.runs.UndoVote(undo) for _ in range(4)), return_exceptions=True
    )
    undone = {a.vote.name for a in answers if isinstance(a, pb.UndoVoteResponse)}
    assert len(undone) == 3
    assert set((await contests.scores(run)).values()) == {(START_SCORE, 0)}


async def test_ten_candidates_are_asked_in_45_pairs_each_once(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    names = await contests.shelve(run, 10)
    asked = set()
    for turn in range(45):
        pair = await contests.next(run, confidence=1)
        assert await contests.next(run, confidence=1) == pair, "sides included"
        assert (pair.done, pair.vote_count, pair.pair_count) == (False, turn, 45)
        assert (pair.left.score, pair.right.score, pair.leader, pair.probability) == (0, 0, "", 0)
        asked.add(frozenset((pair.left.name, pair.right.name)))
        counts = sorted(votes for _, votes in (await contests.scores(run)).values())
        fewest = min(pair.left.vote_count, pair.right.vote_count)
        assert fewest == counts[0] or turn > 40, "the last pairs are those that are left"
        await contests.vote(
            min(pair.left.name, pair.right.name), max(pair.left.name, pair.right.name)
        )
    assert asked == {frozenset(pair) for pair in combinations(names, 2)}
    over = await contests.next(run, confidence=1)
    assert over.done and over.reason == pb.GetNextPairResponse.REASON_NO_PAIRS_LEFT
    assert over.leader == min(names)
    sure = await contests.next(run)
    assert sure.done and sure.reason == pb.GetNextPairResponse.REASON_CONFIDENT
    assert sure.probability >= lib.settings.vote_confidence
    board = await lib.runs.GetLeaderboard(pb.GetLeaderboardRequest(name=run))
    assert [c.name for c in board.candidates] == sorted(names)[:3]
    assert [c.score for c in board.candidates] == sorted(
        (score for score, _ in (await contests.scores(run)).values()), reverse=True
    )[:3]
    assert (board.leader, board.probability) == (sure.leader, sure.probability)


async def test_too_few_candidates_and_those_that_are_out_are_not_asked(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    empty = await contests.next(run)
    assert empty.done and empty.reason == pb.GetNextPairResponse.REASON_TOO_FEW
    one, other, third = await contests.shelve(run, 3)
    await contests.vote(one, other)
    await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=other))
    pair = await contests.next(run, confidence=1)
    assert {pair.left.name, pair.right.name} == {one, third}
    with pytest.raises(InvalidArgument):
        await contests.next(run, confidence=0.3)
    await contests.choose(one)
    closed = await contests.next(run)
    assert closed.done and closed.reason == pb.GetNextPairResponse.REASON_CLOSED


async def test_five_hundred_candidates_are_two_statements(lib: Library, contests: Contests) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    (first,) = await contests.shelve(run, 1)
    await lib.rows(
        "INSERT INTO catalog.candidates SELECT gen_random_uuid(), run_id, step, parent_id, state, "
        "file_name, gen_random_uuid()::text, mime_type, size_bytes, width, height, "
        "thumbnail_sha256, taken_time, measures, score, votes, create_time, update_time "
        "FROM catalog.candidates, generate_series(2, 500) WHERE run_id = :run",
        run=run.rpartition("/")[2],
    )
    others = [name for name in await contests.scores(run) if name != first]
    for other in others[:3]:
        await contests.vote(first, other)
    async with lib.statements() as seen:
        pair = await contests.next(run)
    assert len(seen) == 2
    assert pair.pair_count == 500 * 499 // 2
    assert (pair.left.vote_count, pair.right.vote_count) == (0, 0)
