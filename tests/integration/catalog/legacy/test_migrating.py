"""A whole migration on real engines: nothing is lost, nothing doubled, nothing sent again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import photo_pb2
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.clustering.v1.cluster_pb2 import Cluster

from libs.errors import FailedPrecondition, InvalidArgument
from services.catalog.legacy.media import FolderMedia
from tests.integration.catalog.legacy.conftest import Move
from tests.support.legacy.sample import EXPECTED, EXPECTED_RUNS, ROWS, picture

USAGE = photo_pb2.Photo
WAITING = {"13", "14", "18", "19", "20"}


def by_id(report: dict[str, Any]) -> dict[str, Any]:
    return {photo["photo"]: photo for photo in report["photos"]}


async def photo(move: Move, name: str) -> photo_pb2.Photo:
    return await move.lib.stub.GetPhoto(pb.GetPhotoRequest(name=name))


async def test_every_photo_comes_over_or_waits_with_its_reason(move: Move) -> None:
    report = await move.apply()
    photos = by_id(report)
    assert {id for id, p in photos.items() if p["state"] == "QUARANTINED"} == WAITING
    assert {id: photos[id]["reason"] for id in WAITING} == {
        "13": "NO_ACTIVE_PILLAR",
        "14": "NO_PERSONA",
        "18": "MISSING_FILE",
        "19": "DAMAGED_IMAGE",
        "20": "NO_PATH",
    }
    pillars = report["pillars"]
    for id, (rule, pillar, doubts) in EXPECTED.items():
        assert (photos[id]["rule"], photos[id]["pillar"], tuple(photos[id]["doubts"])) == (
            rule,
            pillars.get(pillar, ""),
            doubts,
        ), id
    for id in set(EXPECTED) - WAITING - {"16", "17"}:
        found = await photo(move, photos[id]["name"])
        assert found.pillar == photos[id]["pillar"]
        if id != "2":  # its bytes came under two paths, either of which may have been the first
            assert found.source_path == photos[id]["path"]
        request = pb.ReadPhotoMediaRequest(name=found.name)
        pieces = [m.chunk async for m in move.lib.stub.ReadPhotoMedia(request)]
        assert b"".join(pieces) == picture(int(id)), "byte for byte"
    assert await move.count("photos") == 13
    one = await photo(move, photos["1"]["name"])
    assert (one.caption, one.create_time.ToJsonString()) == ("A\tcup", "2021-01-20T10:00:00Z")


async def test_the_same_file_becomes_one_photo(move: Move) -> None:
    photos = by_id(await move.apply())
    for twin, first in (("16", "1"), ("17", "2")):
        assert {photos[twin]["name"], photos[first]["name"]} == {photos[first]["name"]}
        assert "SAME_FILE" in (photos[twin]["reason"], photos[first]["reason"])


async def test_personas_and_pillars_come_with_what_they_were(move: Move) -> None:
    taken = await move.lib.persona(display_name="nora")
    report = await move.apply()
    personas, pillars = report["personas"], report["pillars"]
    nora = await move.lib.stub.GetPersona(pb.GetPersonaRequest(name=personas["1"]))
    assert nora.name != taken
    assert nora.display_name == "Nora (2)", "somebody has the name"
    assert nora.time_zone == "Europe/Lisbon"
    assert nora.voice == 'dry,\tand\nshort \\ "quoted"'
    assert nora.caption_config == CaptionConfig(tone=CaptionConfig.TONE_PLAYFUL, max_length=300)
    otto = await move.lib.stub.GetPersona(pb.GetPersonaRequest(name=personas["2"]))
    assert otto.state == Persona.STATE_ARCHIVED
    third = await move.lib.stub.GetPersona(pb.GetPersonaRequest(name=personas["3"]))
    assert third.time_zone == "UTC"
    found = {
        id: await move.lib.stub.GetPillar(pb.GetPillarRequest(name=name))
        for id, name in pillars.items()
    }
    assert {id: (p.weight, p.state == Pillar.STATE_ACTIVE) for id, p in found.items()} == {
        "10": (40, True),
        "11": (30, True),
        "12": (20, True),
        "13": (50, False),
        "14": (40, False),
        "20": (100, True),
    }
    assert list(found["10"].guidelines.topics) == ["beans"]
    notes = " ".join(note["text"] for note in report["notes"])
    assert "moon_phase" in notes
    assert "Mars/Base" in notes
    assert "only 30 is left" in notes


async def test_what_was_sent_stays_sent(move: Move) -> None:
    photos = by_id(await move.apply())
    usage = {
        id: (await photo(move, photos[id]["name"])).usage for id in ("1", "2", "3", "5", "6", "11")
    }
    assert usage == {
        "1": USAGE.USAGE_POSTED,
        "2": USAGE.USAGE_UNUSED,
        "3": USAGE.USAGE_UNUSED,
        "5": USAGE.USAGE_POSTED,
        "6": USAGE.USAGE_SCHEDULED,
        "11": USAGE.USAGE_UNUSED,
    }
    one = await photo(move, photos["1"]["name"])
    assert {p.posted_time.ToJsonString() for p in one.posts} == {
        "2023-03-01T08:00:07Z",
        "2022-01-01T08:00:00Z",
    }, "both rows of the same file"
    fates = {p["post"]: p["fate"] for p in (await move.steps().status())["posts"]}
    assert fates == {
        "500": "SENT",
        "501": "UNSENT",
        "502": "UNSENT",
        "503": "PRESUMED_SENT",
        "504": "HANDED_OVER",
        "505": "DANGLING_PHOTO",
        "506": "SENT",
        "507": "UNSENT",
    }


async def test_a_photo_is_never_there_without_its_posts(move: Move) -> None:
    """Not even for a moment: whoever plans posts while a library moves in sees it used."""
    seen: list[str] = []

    class Watched(FolderMedia):
        async def read(self, path: str) -> AsyncIterator[bytes]:
            rows = await move.lib.rows(
                "SELECT source_path FROM catalog.photos WHERE usage = 'UNUSED'"
            )
            seen.extend(row.source_path for row in rows)
            async for piece in super().read(path):
                yield piece

    await move.steps().apply(move.source, Watched(move.files))
    assert seen, "it did look meanwhile: the last files are read when others are in"
    assert not {"library/5.jpg", "library/6.jpg"} & set(seen)


async def test_runs_keep_their_pillar_or_have_none(move: Move) -> None:
    report = await move.apply()
    rows = await move.lib.rows("SELECT display_name, pillar_id, state FROM catalog.runs")
    found = {row.display_name.removeprefix("Run "): row for row in rows}
    for id, (rule, pillar, _) in EXPECTED_RUNS.items():
        if rule != "QUARANTINE":
            name = report["pillars"].get(pillar, "").rpartition("/")[2]
            assert (found[id].pillar_id or "") == name, id
    assert {id: row.state for id, row in found.items()} == {
        "900": "COMPLETED",
        "901": "COMPLETED",
        "902": "FAILED",
        "903": "WAITING",
        "904": "COMPLETED",
    }
    linked = sum(row.pillar_id is not None for row in rows)
    without = sum(row.pillar_id is None for row in rows)
    left = report["tables"]["pipeline_runs"]["QUARANTINED"]
    assert linked + without + left == len(ROWS["pipeline_runs"])


async def test_applying_again_changes_nothing(move: Move) -> None:
    first = await move.apply()
    tables = ("personas", "pillars", "photos", "runs", "post_uses", "outbox")
    before = {table: await move.count(table) for table in tables}
    again = await move.apply()
    assert {table: await move.count(table) for table in tables} == before
    assert by_id(again) == by_id(first)


@pytest.mark.parametrize("after", range(0, 70, 7))
async def test_a_migration_that_is_cut_off_anywhere_goes_on(move: Move, after: int) -> None:
    class Cut(Exception):
        """Stands for the end of the process."""

    calls = 0

    def progress(_phase: str, _done: int, _total: int) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Cut

    try:
        await move.steps(progress).apply(move.source, FolderMedia(move.files))
    except* Cut:
        pass
    report = await move.apply()
    assert {id for id, p in by_id(report).items() if p["state"] == "QUARANTINED"} == WAITING
    counts = {table: await move.count(table) for table in ("personas", "pillars", "photos", "runs")}
    assert counts == {"personas": 3, "pillars": 6, "photos": 13, "runs": 5}


async def test_the_way_to_the_end(move: Move) -> None:
    await move.apply()
    steps = move.steps()
    verdict = await steps.gate(move.source)
    assert verdict.sound
    assert not verdict.passed
    assert verdict.unresolved == {
        "photos": ["13", "14", "18", "19", "20"],
        "pipeline_runs": ["905"],
    }
    with pytest.raises(FailedPrecondition, match="before a gate has passed") as refused:
        await steps.drop("backup-7")
    assert refused.value.reason == "NO_GATE"

    report = await steps.status()
    await steps.assign(["13", "14"], report["pillars"]["10"])
    (move.files / "library/lost.jpg").write_bytes(picture(18))
    (move.files / "library/broken.jpg").write_bytes(picture(19))
    photos = by_id(await move.apply())
    for id in ("13", "14"):
        assert (photos[id]["rule"], photos[id]["state"]) == ("MANUAL", "DONE")
        assert (await photo(move, photos[id]["name"])).pillar == report["pillars"]["10"]
    assert {photos[id]["state"] for id in ("18", "19")} == {"DONE"}
    await steps.give_up("photos", ["20"], "there never was a file")
    await steps.give_up("pipeline_runs", ["905"], "nobody's")

    verdict = await steps.gate(move.source)
    assert verdict.passed, verdict.as_dict()
    with pytest.raises(InvalidArgument, match="name the backup"):
        await steps.drop(" ")
    await steps.drop("backup-7")
    assert await move.count("legacy_rows") == 0
    assert await move.count("photos") == 17
    for step in (steps.rollback, steps.status):
        with pytest.raises(FailedPrecondition, match="no migration is under way"):
            await step()
    with pytest.raises(FailedPrecondition, match="would double it") as refused:
        await move.apply()
    assert refused.value.reason == "ALREADY_MIGRATED"


async def resolved(move: Move) -> None:
    """Applied, and nothing waits."""
    await move.apply()
    await move.steps().give_up("photos", sorted(WAITING), "for the test")
    await move.steps().give_up("pipeline_runs", ["905"], "for the test")
    assert (await move.steps().gate(None)).passed


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (
            "INSERT INTO catalog.legacy_rows (migration_id, kind, id, row, state, update_time) "
            "SELECT id, 'photos', '4711', '{\"id\": \"4711\", \"path\": \"x\"}', 'DONE', now() "
            "FROM catalog.legacy_migrations",
            "rows that were read are staged",
        ),
        (
            "DELETE FROM catalog.photos WHERE source_path = 'library/3.jpg'",
            "photos that were migrated are in the library",
        ),
        (
            "UPDATE catalog.photos SET source_path = 'x.jpg' WHERE source_path = 'library/3.jpg'",
            "(id, path) of migrated photos",
        ),
        (
            "UPDATE catalog.photos SET usage = 'UNUSED', posted_time = NULL "
            "WHERE source_path = 'library/5.jpg'",
            "sent posts whose photo is offered again",
        ),
        (
            "UPDATE catalog.legacy_rows SET delivered = false WHERE id = '500'",
            "sent posts that the scheduler does not know",
        ),
        (
            "UPDATE catalog.legacy_rows SET rule = '' WHERE id = '900'",
            "runs: linked + without a pillar + left",
        ),
        (
            "UPDATE catalog.legacy_rows SET row = jsonb_set(row, '{path}', '\"y\"') "
            "WHERE kind = 'photos' AND id = '3'",
            "(id, path) of staged photos",
        ),
    ],
)
async def test_whatever_does_not_agree_stops_the_drop(
    move: Move, change: str, failing: str
) -> None:
    await resolved(move)
    await move.lib.rows(change)
    verdict = await move.steps().gate(None)
    assert failing in {check.name for check in verdict.checks if not check.passed}
    with pytest.raises(FailedPrecondition):
        await move.steps().drop("backup-7")


async def test_a_gate_counts_until_something_changes(move: Move) -> None:
    await resolved(move)
    await move.lib.rows("UPDATE catalog.legacy_rows SET state = 'STAGED', update_time = now()")
    with pytest.raises(FailedPrecondition, match="nothing changed since"):
        await move.steps().drop("backup-7")


async def test_a_source_that_went_on_is_noticed(move: Move) -> None:
    await resolved(move)
    move.legacy.run("UPDATE photos SET path = 'moved.jpg' WHERE id = 3")
    verdict = await move.steps().gate(move.source)
    assert [c.name for c in verdict.checks if not c.passed] == ["the source is as it was read"]
    with pytest.raises(FailedPrecondition, match="differs from what was read"):
        await move.apply()


async def test_sent_posts_wait_for_the_scheduler(move: Move) -> None:
    with move.scheduler.absent():
        report = await move.apply()
    assert report["undelivered"] == ["the scheduler does not answer: gone"]
    await move.steps().give_up("photos", sorted(WAITING), "for the test")
    await move.steps().give_up("pipeline_runs", ["905"], "for the test")
    verdict = await move.steps().gate(None)
    assert [c.name for c in verdict.checks if not c.passed] == [
        "sent posts that the scheduler does not know"
    ]
    move.scheduler.refused = {"503"}
    assert (await move.apply())["undelivered"] == ["post 503: no"]
    move.scheduler.refused = set()
    assert (await move.apply())["undelivered"] == []
    assert (await move.steps().gate(None)).passed


async def test_the_scheduler_learns_of_sent_posts_once(move: Move) -> None:
    photos = by_id(await move.apply())
    await move.apply()
    told = {id.split("/")[1]: post for id, post in move.scheduler.posts.items()}
    assert set(told) == {"500", "503"}, "a photo once, and not what a provider holds until 2999"
    sent = told["500"]
    assert (sent.photo, sent.provider_post_id) == (photos["1"]["name"], "insta-1")
    assert (sent.caption, sent.posted_time.ToJsonString()) == (
        "Good morning",
        "2023-03-01T08:00:07Z",
    )
    one = await photo(move, photos["1"]["name"])
    names = {post["name"] for post in (await move.steps().status())["posts"] if post["name"]}
    assert {post.post for post in one.posts} <= names, "the scheduler's own, and no other beside it"
    assert len(one.posts) == 2
    assert one.usage == USAGE.USAGE_POSTED


async def test_a_photo_that_somebody_scheduled_meanwhile_is_told(move: Move) -> None:
    with move.scheduler.absent():
        await move.apply()
    move.scheduler.state = "SCHEDULED"
    report = await move.apply()
    (text,) = report["undelivered"]
    assert text.startswith("post 506: the post personas/nora/posts/")
    assert not (await move.steps().gate(None)).sound


async def test_posts_of_a_photo_that_is_given_up_do_not_wait(move: Move) -> None:
    move.legacy.run("UPDATE scheduling_posts SET photo_id = 18 WHERE id = 503")
    move.legacy.run("UPDATE photos SET caption = repeat('x', 3000) WHERE id = 3")
    report = await move.apply()
    assert by_id(report)["3"]["message"] == "caption had 3000 characters; 2200 are kept"
    assert report["tables"]["scheduling_posts"]["STAGED"] == 1
    await move.steps().give_up("photos", ["18"], "lost")
    report = await move.apply()
    assert "STAGED" not in report["tables"]["scheduling_posts"]


async def test_an_archived_persona_is_put_away_when_its_posts_are_told(move: Move) -> None:
    move.legacy.run("UPDATE scheduling_posts SET photo_id = 15 WHERE id = 503")
    with move.scheduler.absent():
        report = await move.apply()
    request = pb.GetPersonaRequest(name=report["personas"]["2"])
    assert (await move.lib.stub.GetPersona(request)).state == Persona.STATE_ACTIVE
    await move.apply()
    assert (await move.lib.stub.GetPersona(request)).state == Persona.STATE_ARCHIVED


async def test_clusters_live_on_as_curated_ones(move: Move) -> None:
    report = await move.apply()
    photos, pillars = by_id(report), report["pillars"]
    found = {cluster.title: cluster for cluster in move.clustering.clusters.values()}
    assert set(found) == {str(row["name"]) for row in ROWS["clusters"]}
    assert found["One primary"].prompt_hint == "a cup,\nsteaming"
    assert found["Inactive pillar"].state == Cluster.STATE_ARCHIVED
    assert found["No pillar"].state == Cluster.STATE_DRAFT
    two = found["Two, one primary"].name
    assert move.clustering.pillars[two] == {pillars["10"]: True, pillars["11"]: False}
    both = found["Two primaries"].name
    assert move.clustering.pillars[both] == {pillars["11"]: True, pillars["10"]: False}
    assert found["Foreign pillar"].name not in move.clustering.pillars
    assert move.clustering.members[two] == {photos["2"]["name"]}, "17 is the same picture"
    assert found["One, not primary"].name.startswith(report["personas"]["1"])
    assert report["tables"]["pillar_cluster_assignments"] == {"DONE": 10, "SKIPPED": 3}


async def test_photos_that_are_news_to_the_clustering_service_follow(move: Move) -> None:
    class Late(set[str]):
        def __contains__(self, _item: object) -> bool:
            return True

        def __rsub__(self, _items: object) -> set[str]:
            return set()

    move.clustering.unknown = Late()
    report = await move.apply()
    assert "cluster 100: 1 photos are not known to the service yet" in report["undelivered"]
    move.clustering.unknown = set()
    assert (await move.apply())["undelivered"] == []
    assert len(move.clustering.clusters) == len(ROWS["clusters"]), "none was made twice"
    assert sum(map(len, move.clustering.members.values())) == 10


async def test_only_one_process_works_on_a_migration(move: Move) -> None:
    class Slow(FolderMedia):
        async def read(self, path: str) -> AsyncIterator[bytes]:
            with pytest.raises(FailedPrecondition, match="another process works on this"):
                await move.steps().rollback()
            async for piece in super().read(path):
                yield piece

    await move.steps().apply(move.source, Slow(move.files))


async def test_files_outside_of_the_folder_are_not_read(move: Move, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(picture(77))
    (move.files / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    move.legacy.run("UPDATE photos SET path = '../secret.jpg' WHERE id = 3")
    move.legacy.run("UPDATE photos SET path = 'link.jpg' WHERE id = 4")
    photos = by_id(await move.apply())
    assert {photos[id]["reason"] for id in ("3", "4")} == {"OUTSIDE_MEDIA"}


async def test_paths_may_begin_with_where_the_files_once_were(move: Move) -> None:
    move.legacy.run("UPDATE photos SET path = '/srv/storage/' || path WHERE id < 10")
    media = FolderMedia(move.files, "/srv/storage")
    photos = by_id(await move.steps().apply(move.source, media))
    assert {photos[str(id)]["state"] for id in range(1, 10)} == {"DONE"}
