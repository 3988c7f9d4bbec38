"""Runs: created, changed, called off; candidates uploaded, read, taken out."""

import uuid
from collections.abc import Awaitable
from hashlib import sha256
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1 import run_service_pb2 as pb
from colonnade.catalog.v1.run_pb2 import Candidate, Run
from google.protobuf.field_mask_pb2 import FieldMask

from libs.errors import (
    ColonnadeError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfQuota,
)
from services.catalog.domain.candidate import MAX_CANDIDATES
from tests.integration.catalog.contest import Contests
from tests.integration.catalog.library import Library, picture
from tests.integration.catalog.world import World


@pytest.fixture
def contests(lib: Library) -> Contests:
    return Contests(lib)


async def test_a_run_needs_neither_pillar_nor_prompt(lib: Library, contests: Contests) -> None:
    persona, pillar = await lib.place()
    plain = await contests.run(persona)
    assert (plain.state, plain.pillar, plain.suggestion) == (Run.STATE_RUNNING, "", "")
    cluster = f"{persona}/clusters/{uuid.uuid4()}"
    full = await contests.run(
        persona, display_name=" Morning ", pillar=pillar, prompt="a cup", cluster=cluster
    )
    assert (full.display_name, full.pillar, full.prompt) == ("Morning", pillar, "a cup")
    assert full.cluster == cluster
    assert await contests.get(full.name) == full
    request = planning.ListRunsRequest(parent=persona, filter='pillar = "none"')
    assert [run.name for run in (await lib.planning.ListRuns(request)).runs] == [plain.name]


async def test_a_run_that_names_a_suggestion_uses_it(lib: Library, contests: Contests) -> None:
    persona = await lib.persona()
    suggestion = await World(lib).suggestion(persona)
    run = await contests.run(persona, suggestion=suggestion.name, prompt="a prompt of my own")
    assert (run.suggestion, run.pillar) == (suggestion.name, suggestion.pillar)
    assert (run.display_name, run.prompt) == (suggestion.title, "a prompt of my own")
    request = planning.GetSuggestionRequest(name=suggestion.name)
    assert (await lib.planning.GetSuggestion(request)).run == run.name
    with pytest.raises(FailedPrecondition) as raised:
        await contests.run(persona, suggestion=suggestion.name)
    assert raised.value.reason == "SUGGESTION_DECIDED"


async def test_links_to_what_is_of_others_or_not_there(lib: Library, contests: Contests) -> None:
    persona, _ = await lib.place()
    stranger, foreign = await lib.place()
    suggestion = (await World(lib).suggestion(stranger)).name
    for field, name in (("pillar", foreign), ("suggestion", suggestion)):
        with pytest.raises(InvalidArgument) as wrong:
            await contests.run(persona, **{field: name})
        assert wrong.value.violations[0].field == f"run.{field}"
    with pytest.raises(NotFound):
        await contests.run(persona, pillar=f"{persona}/pillars/nothing")
    with pytest.raises(NotFound):
        await contests.run(persona, suggestion=f"{persona}/suggestions/{uuid.uuid4()}")
    for fields in ({"pipeline": "pipelines/one"}, {"variables": {"a": "b"}}):
        with pytest.raises(InvalidArgument, match="no pipelines yet"):
            await contests.run(persona, **fields)


async def test_updates_and_what_they_cannot_change(lib: Library, contests: Contests) -> None:
    persona, pillar = await lib.place()
    run = await contests.run(persona, prompt="a cup")
    update = pb.UpdateRunRequest(run=Run(name=run.name, pillar=pillar, etag=run.etag))
    after = await lib.runs.UpdateRun(update)
    assert (after.pillar, after.prompt) == (pillar, "a cup")
    assert after.etag != run.etag
    (winner, _) = await contests.candidates(run.name, 2)
    await contests.choose(winner)
    with pytest.raises(FailedPrecondition) as closed:
        mask = FieldMask(paths=["pillar"])
        await lib.runs.UpdateRun(pb.UpdateRunRequest(run=Run(name=run.name), update_mask=mask))
    assert closed.value.reason == "RUN_CLOSED"
    renamed = await lib.runs.UpdateRun(
        pb.UpdateRunRequest(run=Run(name=run.name, display_name="Cup"))
    )
    assert (renamed.display_name, renamed.winner) == ("Cup", winner)


async def test_a_run_that_is_called_off_takes_nothing_any_more(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run, (one, other) = await contests.filled(persona)
    cancel = pb.CancelRunRequest(name=run)
    assert (await lib.runs.CancelRun(cancel)).run.state == Run.STATE_CANCELLED
    again = (await lib.runs.CancelRun(cancel)).run
    assert again == await contests.get(run)
    for refused in (
        contests.upload(run),
        contests.vote(one, other),
        contests.choose(one),
        lib.runs.UndoVote(pb.UndoVoteRequest(name=run)),
    ):
        with pytest.raises(FailedPrecondition) as raised:
            await refused
        assert raised.value.reason == "RUN_CLOSED"
    asked = await contests.next(run)
    assert asked.done and asked.reason == pb.GetNextPairResponse.REASON_CLOSED
    _, decided = await contests.filled(persona)
    await contests.choose(decided[0])
    with pytest.raises(FailedPrecondition):
        name = decided[0].partition("/candidates/")[0]
        await lib.runs.CancelRun(pb.CancelRunRequest(name=name))


async def test_uploads_are_pictures_and_the_same_bytes_are_one_candidate(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    data = picture(77_777)
    digest = sha256(data).hexdigest()
    first = await contests.upload(run, data, file_name="cup.jpg", sha256=digest)
    candidate = first.candidate
    assert not first.duplicate
    assert (candidate.state, candidate.step) == (Candidate.STATE_ACTIVE, 1)
    assert (candidate.width, candidate.height, candidate.sha256) == (96, 72, digest)
    assert candidate.file_name == "cup.jpg"
    assert candidate.content_uri == f"/v1/{candidate.name}/content"
    headers: list[dict[str, Any]] = [{}, {"sha256": digest}]
    for header in headers:
        again = await contests.upload(run, data, **header)
        assert again.duplicate and again.candidate == candidate
    other = (await contests.run(persona)).name
    assert not (await contests.upload(other, data)).duplicate
    assert (await contests.get(run)).state == Run.STATE_WAITING
    errors: list[tuple[type[ColonnadeError], str, bytes, dict[str, Any]]] = [
        (InvalidArgument, "UNSUPPORTED_IMAGE", b"no picture" * 100, {}),
        (InvalidArgument, "DAMAGED_IMAGE", data[:600] + b"\0" * 400, {}),
        (InvalidArgument, "HASH_MISMATCH", picture(77_778), {"sha256": "0" * 64}),
        (OutOfQuota, "IMAGE_TOO_LARGE", b"\xff\xd8\xff\xe0" + b"\0" * 2_000_001, {}),
    ]
    for kind, reason, bytes_, header in errors:
        with pytest.raises(kind) as raised:
            await contests.upload(run, bytes_, **header)
        assert raised.value.reason == reason
    with pytest.raises(NotFound):
        await contests.upload(f"{persona}/runs/{uuid.uuid4()}", data)


async def test_a_run_takes_so_many_candidates_and_no_more(lib: Library, contests: Contests) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    await contests.shelve(run, 1)
    await lib.rows(
        "INSERT INTO catalog.candidates SELECT gen_random_uuid(), run_id, step, parent_id, state, "
        "file_name, gen_random_uuid()::text, mime_type, size_bytes, width, height, "
        "thumbnail_sha256, taken_time, measures, score, votes, create_time, update_time "
        "FROM catalog.candidates, generate_series(2, :count) WHERE run_id = :run",
        run=run.rpartition("/")[2],
        count=MAX_CANDIDATES,
    )
    with pytest.raises(FailedPrecondition) as raised:
        await contests.upload(run)
    assert raised.value.reason == "TOO_MANY_CANDIDATES"


async def test_candidates_are_listed_by_age_and_by_score_once_voting_is_over(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run, names = await contests.filled(persona, 3)

    async def listed(**fields: Any) -> list[Candidate]:
        request = pb.ListCandidatesRequest(parent=run, **fields)
        return list((await lib.runs.ListCandidates(request)).candidates)

    await contests.vote(names[2], names[0])
    found = await listed()
    assert [c.name for c in found] == names
    assert {c.score for c in found} == {0.0}, "hidden while voting goes on"
    assert [c.vote_count for c in found] == [1, 0, 1]
    with pytest.raises(FailedPrecondition) as hidden:
        await listed(order_by="score desc")
    assert hidden.value.reason == "VOTING"
    await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=names[1]))
    assert [c.name for c in await listed(filter='state = "REJECTED"')] == names[1:2]
    over = await listed(order_by="score desc")
    assert [(c.name, c.score) for c in over] == [
        (names[2], 1016),
        (names[1], 1000),
        (names[0], 984),
    ]
    one = await lib.runs.GetCandidate(pb.GetCandidateRequest(name=names[2]))
    assert one.score == 1016
    for wrong in ({"order_by": "score"}, {"filter": 'state = "LOST"'}, {"filter": 'step = "1"'}):
        with pytest.raises(InvalidArgument):
            await listed(**wrong)


async def test_reading_takes_few_statements(lib: Library, contests: Contests) -> None:
    persona, pillar = await lib.place()
    run, names = await contests.filled(persona, 4, pillar=pillar)
    await contests.vote(names[0], names[1])
    reads: dict[int, list[Awaitable[Any]]] = {
        2: [
            lib.runs.GetNextPair(pb.GetNextPairRequest(name=run)),
            lib.runs.GetLeaderboard(pb.GetLeaderboardRequest(name=run)),
        ],
        3: [
            lib.runs.GetCandidate(pb.GetCandidateRequest(name=names[0])),
            lib.runs.ListCandidates(pb.ListCandidatesRequest(parent=run)),
        ],
        5: [
            lib.runs.GetLineage(pb.GetLineageRequest(name=run)),
            lib.planning.GetRun(planning.GetRunRequest(name=run)),
            lib.runs.ListWinnersWithoutPhoto(pb.ListWinnersWithoutPhotoRequest(parent=persona)),
            lib.stub.AnalyzeGaps(catalog.AnalyzeGapsRequest(parent=persona)),
        ],
    }
    for most, calls in reads.items():
        for call in calls:
            async with lib.statements() as seen:
                await call
            assert len(seen) <= most, seen


async def test_bytes_of_candidates_and_nobody_elses(lib: Library, contests: Contests) -> None:
    persona, _ = await lib.place()
    run = (await contests.run(persona)).name
    data = picture(88_888)
    name = (await contests.upload(run, data)).candidate.name

    async def read(name: str, **fields: Any) -> tuple[catalog.MediaInfo, bytes]:
        request = pb.ReadCandidateMediaRequest(name=name, **fields)
        messages = [message async for message in lib.runs.ReadCandidateMedia(request)]
        return messages[0].info, b"".join(message.chunk for message in messages[1:])

    info, whole = await read(name)
    assert whole == data
    assert (info.mime_type, info.size_bytes) == ("image/jpeg", len(data))
    assert (await read(name, offset=10, length=20))[1] == data[10:30]
    thumbnail = pb.ReadCandidateMediaRequest.RENDITION_THUMBNAIL
    assert (await read(name, rendition=thumbnail))[1][:2] == b"\xff\xd8"
    stranger = await lib.persona()
    other_run = (await contests.run(persona)).name
    for foreign in (name.replace(persona, stranger), name.replace(run, other_run)):
        with pytest.raises(NotFound):
            await read(foreign)
        with pytest.raises(NotFound):
            await lib.runs.GetCandidate(pb.GetCandidateRequest(name=foreign))
        with pytest.raises(NotFound):
            await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=foreign))
        with pytest.raises(NotFound):
            await contests.choose(foreign)


async def test_rejecting_is_final_and_takes_descendants_only_if_asked(
    lib: Library, contests: Contests
) -> None:
    persona, _ = await lib.place()
    run, names = await contests.filled(persona, 4)
    ids = [name.rpartition("/")[2] for name in names]
    for child, parent in ((1, 0), (2, 1)):
        await lib.rows(
            "UPDATE catalog.candidates SET parent_id = :parent, step = 2 WHERE id = :id",
            parent=ids[parent],
            id=ids[child],
        )

    async def states() -> list[int]:
        answer = await lib.runs.ListCandidates(pb.ListCandidatesRequest(parent=run))
        return [candidate.state for candidate in answer.candidates]

    active, out = Candidate.STATE_ACTIVE, Candidate.STATE_REJECTED
    first = await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=names[1]))
    assert first.candidate.state == out
    assert await states() == [active, out, active, active]
    before = await contests.get(run)
    await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=names[1]))
    assert await contests.get(run) == before, "rejecting again changes nothing"
    for refused in (contests.vote(names[1], names[0]), contests.choose(names[1])):
        with pytest.raises(FailedPrecondition) as raised:
            await refused
        assert raised.value.reason == "CANDIDATE_REJECTED"
    await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=names[0], cascade=True))
    assert await states() == [out, out, out, active]
    await lib.runs.RejectCandidate(pb.RejectCandidateRequest(name=names[3]))
    assert (await contests.get(run)).state == Run.STATE_RUNNING, "nothing is left to vote on"


async def test_blobs_of_candidates_are_in_use(lib: Library, contests: Contests) -> None:
    persona, _ = await lib.place()
    _, (name, _) = await contests.filled(persona)
    candidate = await lib.runs.GetCandidate(pb.GetCandidateRequest(name=name))
    async with lib.catalog.changing() as tx:
        assert await tx.blobs.used([candidate.sha256, "0" * 64]) == {candidate.sha256}
