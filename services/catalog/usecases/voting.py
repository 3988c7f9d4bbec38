"""Comparing candidates: what to ask, what people said, who leads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import InvalidArgument
from libs.ids import uuid7
from libs.rpc.requests import RequestKey
from services.catalog.domain import voting
from services.catalog.domain.candidate import Candidate, check_in
from services.catalog.domain.names import CandidateKey, Key, no_candidate, vote_id
from services.catalog.domain.run import check_open
from services.catalog.domain.vote import Vote, no_vote, voted_already
from services.catalog.domain.voting import Ballot, Contestant, Over, Standing
from services.catalog.ports import Catalog, Changing, Contest, Reading
from services.catalog.usecases.requests import answered, finish


@dataclass(frozen=True, slots=True)
class NextPair:
    """The candidates to compare, left and right, or why there are none.

    ``leader`` is the name of whoever leads. ``votes`` are those that count, ``pairs`` all there
    are.
    """

    sides: tuple[Candidate, Candidate] | None
    over: Over | None
    leader: str
    probability: float
    votes: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Candidates by score; the name of whoever is most probably the best, and how probably."""

    candidates: Sequence[Candidate]
    leader: str
    probability: float


class VotingCases:
    """What can be done with votes. ``confidence`` is how sure of the leader a vote must be to end,
    where nobody says otherwise."""

    def __init__(self, catalog: Catalog, clock: Clock, confidence: float) -> None:
        self._catalog = catalog
        self._clock = clock
        self._confidence = confidence

    async def next_pair(self, run: Key, confidence: float) -> NextPair:
        """What to ask next; ``confidence`` 0 is the default. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            contest = await catalog.runs.contest(run)
            ballots = await catalog.votes.ballots(run)
        candidates = {candidate.id: candidate for candidate in contest.candidates}
        found = self._standing(contest, ballots, confidence)
        count = len(candidates)
        sides = None
        if found.pair and not contest.run.closed:
            sides = (candidates[found.pair[0]], candidates[found.pair[1]])
        return NextPair(
            sides=sides,
            over=Over.CLOSED if contest.run.closed else found.over,
            leader=candidates[found.leader].name if found.leader else "",
            probability=found.probability,
            votes=len(ballots),
            pairs=count * (count - 1) // 2,
        )

    async def record(
        self,
        run: Key,
        winner: CandidateKey,
        loser: CandidateKey,
        voter: str,
        request: RequestKey,
    ) -> Vote:
        """Keeps a vote and moves its points from the loser to the winner.

        Raises NotFound, InvalidArgument for candidates of other runs, of different steps or for one
        and the same, AlreadyExists for a pair that was voted on, FailedPrecondition (RUN_CLOSED,
        CANDIDATE_REJECTED).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.votes.get(run, vote_id(known))
            check_open(await tx.runs.pinned(run))
            one, other = await _both(tx, run, winner, loser)
            pairing = await tx.votes.pairing(one.id, other.id)
            if pairing.voted:
                raise voted_already(one.name, other.name)
            now = self._clock.now()
            vote = Vote(
                persona=run.persona,
                run=run.id,
                id=uuid7(),
                winner=one.id,
                loser=other.id,
                points=voting.points(one.score, other.score),
                voter=voter,
                create_time=now,
                round=pairing.retractions,
            )
            await tx.votes.add(vote)
            await _move_points(tx, (one, other), vote.points, 1, now)
            await finish(tx, request, vote.name)
        return vote

    async def undo(self, run: Key, voter: str, request: RequestKey) -> Vote:
        """Takes back the last vote of ``voter`` that counts; its points go back.

        Raises NotFound, FailedPrecondition (RUN_CLOSED, NO_VOTE).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.votes.get(run, vote_id(known))
            check_open(await tx.runs.locked(run))
            vote = await tx.votes.last_of(run, voter)
            if vote is None:
                raise no_vote(run)
            now = self._clock.now()
            found = await tx.candidates.locked(run, (vote.winner, vote.loser))
            await tx.votes.retract(vote, uuid7(), voter, now)
            both = (found[vote.winner], found[vote.loser])
            await _move_points(tx, both, -vote.points, -1, now)
            await finish(tx, request, vote.name)
        return replace(vote, retracted=True)

    async def leaderboard(self, run: Key, size: int) -> Leaderboard:
        """The first ``size`` by score, and who leads. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            contest = await catalog.runs.contest(run)
            ballots = await catalog.votes.ballots(run)
        found = self._standing(contest, ballots)
        candidates = {candidate.id: candidate for candidate in contest.candidates}
        first = [candidates[each.id] for each in voting.leading(_contestants(contest))[:size]]
        leader = candidates[found.leader].name if found.leader else ""
        return Leaderboard(first, leader, found.probability)

    async def over(self, catalog: Reading, run: Key) -> bool:
        """Whether voting is over, so that scores may be seen. Raises NotFound."""
        return await self.contest_over(catalog, await catalog.runs.contest(run))

    async def contest_over(self, catalog: Reading, contest: Contest) -> bool:
        """The same of a contest that is read already."""
        if contest.run.closed:
            return True
        ballots = await catalog.votes.ballots(contest.run.key)
        return self._standing(contest, ballots).over is not None

    def _standing(
        self, contest: Contest, ballots: Sequence[Ballot], confidence: float = 0.0
    ) -> Standing:
        sure = confidence or self._confidence
        return voting.standing(_contestants(contest), ballots, sure, contest.run.id)


def _contestants(contest: Contest) -> list[Contestant]:
    return [Contestant(each.id, each.score, each.votes) for each in contest.candidates]


async def _both(
    tx: Changing, run: Key, winner: CandidateKey, loser: CandidateKey
) -> tuple[Candidate, Candidate]:
    """Both candidates, locked and fit to be compared."""
    for field, key in (("winner", winner), ("loser", loser)):
        if key.run_key != run:
            raise InvalidArgument.of(field, "must be a candidate of the run")
    if winner == loser:
        raise InvalidArgument.of("loser", "must be another candidate than the winner")
    found = await tx.candidates.locked(run, (winner.id, loser.id))
    for key in (winner, loser):
        if key.id not in found:
            raise no_candidate(*key)
        check_in(found[key.id])
    one, other = found[winner.id], found[loser.id]
    if one.step != other.step:
        text = f"{other.name} is of another step; compare those of one step"
        raise InvalidArgument.of("loser", text)
    return one, other


async def _move_points(
    tx: Changing, both: tuple[Candidate, Candidate], points: int, votes: int, now: datetime
) -> None:
    """Moves points from the second to the first, and counts the vote on both."""
    one, other = both
    changed = (
        replace(one, score=one.score + points, votes=one.votes + votes, update_time=now),
        replace(other, score=other.score - points, votes=other.votes + votes, update_time=now),
    )
    await tx.candidates.save(changed)
