"""Campaigns through the service: all of it or nothing, and every mistake told with its place."""

import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from colonnade.catalog.v1 import campaign_pb2
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.events.v1 import event_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from cli.documents import read_message
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from services.catalog.domain.names import Key
from services.catalog.domain.suggestion import SuggestionState
from tests.integration.catalog.library import Library

Campaign = campaign_pb2.Campaign
Post = campaign_pb2.CampaignPost
PAGE = Path(__file__).parents[3] / "docs" / "planning.md"


def due(lib: Library, **ahead: float) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(lib.clock.now() + timedelta(**ahead))
    return timestamp


async def import_(lib: Library, persona: str, *posts: Post, **fields: Any) -> Campaign:
    display_name = fields.pop("display_name", "Spring")
    campaign = Campaign(display_name=display_name, description="Light and air.", posts=posts)
    request = planning.ImportCampaignRequest(parent=persona, campaign=campaign, **fields)
    return (await lib.planning.ImportCampaign(request)).campaign


async def get(lib: Library, name: str) -> Campaign:
    return await lib.planning.GetCampaign(planning.GetCampaignRequest(name=name))


async def counts(lib: Library) -> list[int]:
    """How many pillars, campaigns, suggestions, events and requests there are."""
    tables = ("pillars", "campaigns", "suggestions", "outbox", "request_log")
    return [(await lib.rows(f"SELECT count(*) FROM catalog.{table}"))[0][0] for table in tables]


async def test_a_campaign_comes_in_with_a_suggestion_for_each_post(lib: Library) -> None:
    persona = await lib.persona()
    coffee = await lib.pillar(persona, display_name="Slow Mornings")
    whole = Post(
        pillar="slow mornings",
        title="Morning light",
        description="A cup by the window",
        prompt="a cup, window light",
        caption="Good morning.",
        hashtags=["coffee", "#slow"],
        scheduled_time=due(lib, days=3),
    )
    made = await import_(lib, persona, whole, Post(pillar=coffee, title="Steam"))
    assert await get(lib, made.name) == made
    assert (made.display_name, made.description, made.post_count) == ("Spring", "Light and air.", 2)
    first, second = made.posts
    assert first.pillar == second.pillar == coffee
    assert list(first.hashtags) == ["#coffee", "#slow"]
    assert first.suggestion != second.suggestion

    suggestions = {s.name: s for s in await written(lib, persona, made.name)}
    assert set(suggestions) == {first.suggestion, second.suggestion}
    suggestion = suggestions[first.suggestion]
    assert suggestion.pillar_name == coffee
    assert (suggestion.state, suggestion.source) == (SuggestionState.PENDING, "campaign")
    assert suggestion.brief.prompt == "a cup, window light"

    (told,) = await lib.rows(
        "SELECT type, payload FROM catalog.outbox WHERE subject = :name", name=made.name
    )
    event = event_pb2.CampaignImported.FromString(bytes(told.payload))
    assert (told.type, event.campaign) == ("campaign.imported", made.name)
    assert event.posts[0] == event_pb2.CampaignImportedPost(
        suggestion=first.suggestion,
        pillar=coffee,
        caption="Good morning.",
        hashtags=["#coffee", "#slow"],
        scheduled_time=whole.scheduled_time,
    )
    assert event.posts[1].suggestion == second.suggestion
    assert not event.posts[1].HasField("scheduled_time")


async def written(lib: Library, persona: str, campaign: str) -> list[Any]:
    """The suggestions of a campaign."""
    id = campaign.rpartition("/")[2]
    rows = await lib.rows("SELECT id FROM catalog.suggestions WHERE campaign_id = :id", id=id)
    async with lib.catalog.reading() as catalog:
        key = persona.removeprefix("personas/")
        return [await catalog.suggestions.get(Key(key, str(row.id))) for row in rows]


def documented() -> str:
    """The campaign that docs/planning.md shows."""
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (example,) = [block for block in blocks if '"posts"' in block]
    return str(example)


async def test_the_campaign_of_the_documentation_comes_in(lib: Library, tmp_path: Path) -> None:
    file = tmp_path / "spring.json"
    file.write_text(documented())
    campaign = read_message(file, Campaign(), "campaign")
    persona = await lib.persona()
    await lib.pillar(persona, display_name="Slow mornings")
    request = planning.ImportCampaignRequest(parent=persona, campaign=campaign)
    with pytest.raises(InvalidArgument) as raised:
        await lib.planning.ImportCampaign(request)
    assert [v.field for v in raised.value.violations] == ["campaign.posts[1].pillar"]
    assert raised.value.reason == "UNKNOWN_PILLAR"
    request.create_missing_pillars = True
    made = (await lib.planning.ImportCampaign(request)).campaign
    assert [post.pillar.rpartition("/")[2] for post in made.posts] == [
        "slow-mornings",
        "city-walks",
    ]


async def test_an_invalid_third_post_keeps_everything_out(lib: Library) -> None:
    persona, pillar = await lib.place()
    before = await counts(lib)
    good = Post(pillar=pillar, title="Steam")
    late = Post(pillar=pillar, title="Steam", scheduled_time=due(lib, minutes=-6))
    with pytest.raises(InvalidArgument) as raised:
        await import_(lib, persona, good, good, late, good, request_id=str(uuid.uuid4()))
    assert [v.field for v in raised.value.violations] == ["campaign.posts[2].scheduled_time"]
    assert await counts(lib) == before


async def test_every_bad_post_is_told(lib: Library) -> None:
    persona, pillar = await lib.place()
    with pytest.raises(InvalidArgument) as raised:
        await import_(
            lib,
            persona,
            Post(pillar=pillar, title="Fine"),
            Post(pillar="nothing", title="x", scheduled_time=due(lib, days=366)),
            Post(pillar=pillar),
            Post(pillar=pillar, title="x", scheduled_time=Timestamp(seconds=10**14)),
        )
    assert [v.field for v in raised.value.violations] == [
        "campaign.posts[1].scheduled_time",
        "campaign.posts[1].pillar",
        "campaign.posts[2].description",
        "campaign.posts[3].scheduled_time",
    ]
    assert raised.value.reason == "INVALID_ARGUMENT"


async def test_a_hundred_bad_posts_can_be_told(lib: Library) -> None:
    persona, _ = await lib.place()
    posts = [Post(pillar=f"{'p' * 190}{index}", title="x") for index in range(100)]
    with pytest.raises(InvalidArgument) as raised:
        await import_(lib, persona, *posts)
    assert raised.value.reason == "UNKNOWN_PILLAR"
    assert raised.value.message.endswith("; and 95 more")
    assert len(raised.value.violations) == 50, "as many as the trailer of a call carries"
    with pytest.raises(InvalidArgument):
        await import_(lib, persona, *posts, posts[0])


async def test_missing_pillars_are_created_only_on_demand(lib: Library) -> None:
    persona, _ = await lib.place()
    posts = [Post(pillar=text, title="x") for text in ("Sea", "sea", "Old Town")]
    before = await counts(lib)
    with pytest.raises(InvalidArgument) as raised:
        await import_(lib, persona, *posts)
    assert raised.value.reason == "UNKNOWN_PILLAR"
    assert [v.field for v in raised.value.violations] == [
        f"campaign.posts[{index}].pillar" for index in range(3)
    ]
    assert await counts(lib) == before
    made = await import_(lib, persona, *posts, create_missing_pillars=True)
    assert [p.pillar for p in made.posts] == [
        f"{persona}/pillars/{id}" for id in ("sea", "sea", "old-town")
    ]
    sea = await lib.stub.GetPillar(pb.GetPillarRequest(name=f"{persona}/pillars/sea"))
    assert (sea.display_name, sea.weight) == ("Sea", 0)


async def test_validation_alone_keeps_nothing_and_judges_the_same(lib: Library) -> None:
    persona, _ = await lib.place()
    fields = {"create_missing_pillars": True, "validate_only": True}
    before = await counts(lib)
    answer = await import_(
        lib, persona, Post(pillar="Sea", title="x"), request_id=str(uuid.uuid4()), **fields
    )
    assert await counts(lib) == before
    assert not answer.name
    assert not answer.posts[0].suggestion
    assert answer.posts[0].pillar == f"{persona}/pillars/sea"
    await import_(lib, persona, Post(pillar="Sea", title="x"), create_missing_pillars=True)
    with pytest.raises(AlreadyExists):
        await import_(lib, persona, Post(pillar="Sea", title="x"), **fields)
    with pytest.raises(InvalidArgument):
        await import_(lib, persona, Post(pillar="Sea"), display_name="New", **fields)


async def test_names_are_unique_in_a_persona_and_free_in_another(lib: Library) -> None:
    persona, pillar = await lib.place()
    other, theirs = await lib.place()
    await import_(lib, persona, Post(pillar=pillar, title="x"))
    with pytest.raises(AlreadyExists, match="SPRING"):
        await import_(lib, persona, Post(pillar=pillar, title="x"), display_name=" SPRING ")
    await import_(lib, other, Post(pillar=theirs, title="x"))


async def test_the_same_request_has_its_effect_once(lib: Library) -> None:
    persona, pillar = await lib.place()
    request_id = str(uuid.uuid4())
    post = Post(pillar=pillar, title="x")
    first = await import_(lib, persona, post, request_id=request_id)
    before = await counts(lib)
    assert await import_(lib, persona, post, request_id=request_id) == first
    assert await counts(lib) == before
    with pytest.raises(AlreadyExists) as reused:
        await import_(lib, persona, post, post, request_id=request_id)
    assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_lists_are_newest_first_and_without_posts(lib: Library) -> None:
    persona, pillar = await lib.place()
    made = []
    for number in range(5):
        lib.clock.advance(1)
        posts = [Post(pillar=pillar, title="x")] * (number + 1)
        made.append(await import_(lib, persona, *posts, display_name=f"Plan {number}"))
    listed: list[Campaign] = []
    token = ""
    while True:
        request = planning.ListCampaignsRequest(parent=persona, page_size=2, page_token=token)
        page = await lib.planning.ListCampaigns(request)
        listed += page.campaigns
        token = page.next_page_token
        if not token:
            break
    assert [c.name for c in listed] == [c.name for c in made[::-1]]
    assert [c.post_count for c in listed] == [5, 4, 3, 2, 1]
    assert not any(c.posts for c in listed)


async def test_a_suggestion_that_is_gone_is_not_named(lib: Library) -> None:
    persona, pillar = await lib.place()
    made = await import_(
        lib, persona, Post(pillar=pillar, title="x"), Post(pillar=pillar, title="y")
    )
    id = made.posts[0].suggestion.rpartition("/")[2]
    await lib.rows("DELETE FROM catalog.suggestions WHERE id = :id", id=id)
    left = await get(lib, made.name)
    assert [post.suggestion for post in left.posts] == ["", made.posts[1].suggestion]


async def test_what_is_refused(lib: Library) -> None:
    persona, pillar = await lib.place()
    made = await import_(lib, persona, Post(pillar=pillar, title="x"))
    other, _ = await lib.place()
    id = made.name.rpartition("/")[2]
    for name in (f"{other}/campaigns/{id}", f"{persona}/campaigns/{uuid.uuid4()}"):
        with pytest.raises(NotFound):
            await get(lib, name)
    for nobody in (
        import_(lib, "personas/nobody-here", Post(pillar="x", title="x")),
        lib.planning.ListCampaigns(planning.ListCampaignsRequest(parent="personas/nobody-here")),
    ):
        with pytest.raises(NotFound):
            await nobody
    for posts, field in (
        ([], "campaign.posts"),
        ([Post(pillar=pillar, title="x")] * 101, "campaign.posts"),
        ([Post(pillar=pillar, title="x", hashtags=["two words"])], "campaign.posts[0].hashtags[0]"),
        ([Post(pillar=pillar, title="x" * 81)], "campaign.posts[0].title"),
    ):
        with pytest.raises(InvalidArgument) as wrong:
            await import_(lib, persona, *posts)
        assert [v.field for v in wrong.value.violations] == [field]
    await lib.stub.ArchivePersona(pb.ArchivePersonaRequest(name=persona))
    with pytest.raises(FailedPrecondition) as raised:
        await import_(lib, persona, Post(pillar=pillar, title="x"), display_name="New")
    assert raised.value.reason == "ARCHIVED"


async def test_its_cost_does_not_grow_with_the_posts(lib: Library) -> None:
    persona, _ = await lib.place()
    costs = []
    for number in (1, 100):
        posts = [Post(pillar=f"Pillar {number} {i}", title="x") for i in range(number)]
        async with lib.statements() as seen:
            await import_(
                lib, persona, *posts, create_missing_pillars=True, display_name=f"Plan {number}"
            )
        costs.append(len(seen))
    assert costs[0] == costs[1] <= 6
