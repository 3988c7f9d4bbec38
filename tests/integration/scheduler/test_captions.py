"""Texts for posts: by a language model or of templates, in the manner of the persona."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, HashtagStrategy, Persona
from colonnade.scheduler.v1 import caption_service_pb2 as pb
from colonnade.scheduler.v1 import post_pb2 as scheduler
from colonnade.scheduler.v1.caption_service_pb2_grpc import (
    CaptionServiceStub,
    add_CaptionServiceServicer_to_server,
)
from colonnade.scheduler.v1.plan_pb2 import PlanOptions
from colonnade.scheduler.v1.planner_service_pb2 import CommitPlanRequest
from colonnade.scheduler.v1.planner_service_pb2_grpc import (
    PlannerServiceStub,
    add_PlannerServiceServicer_to_server,
)
from colonnade.scheduler.v1.post_pb2 import Post
from colonnade.scheduler.v1.scheduler_service_pb2 import BatchCreatePostsRequest

from libs.errors import InvalidArgument, NotFound, Unavailable
from libs.llm.settings import LanguageModelSettings
from libs.rpc.paging import PageTokens
from services.scheduler.caption_servicer import CaptionServicer
from services.scheduler.deps import author_of, planner_cases
from services.scheduler.module import CAPTIONS, PLANNER
from services.scheduler.planner_servicer import PlannerServicer
from services.scheduler.usecases.write_texts import WriteTexts
from tests.support.llm.stand_in import MODEL, StandIn, fails, language_model, nonsense, says
from tests.support.rpc import serve
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

NORA = "personas/nora"
MODEL_SAYS = pb.CaptionSuggestion.SOURCE_MODEL
TEMPLATE = pb.CaptionSuggestion.SOURCE_TEMPLATE


def dressed(world: World, **fields: Any) -> str:
    """Nora, who is short and dry, and a photo of hers."""
    persona = Persona(name=NORA, voice="Dry.", state=Persona.STATE_ACTIVE)
    persona.caption_config.CopyFrom(
        CaptionConfig(
            length=CaptionConfig.LENGTH_SHORT,
            emoji_density=CaptionConfig.EMOJI_DENSITY_NONE,
            avoid_topics=["weather"],
        )
    )
    persona.hashtag_strategy.CopyFrom(
        HashtagStrategy(brand_hashtags=["#nora"], avoid_hashtags=["dog"], max_hashtags=6)
    )
    world.catalog.personas[NORA] = persona
    world.catalog.add_pillar("light", 100, priority=3)
    return world.catalog.add_photo(tags=["dog", "beach"], **fields)


@asynccontextmanager
async def captions(
    world: World, model: StandIn | None = None, *, sees: bool = False
) -> AsyncIterator[CaptionServiceStub]:
    """The service, with a language model or without."""
    there = LanguageModelSettings(base_url=model.url, model=MODEL) if model else None
    nothing = LanguageModelSettings()
    words, eyes = (nothing, there or nothing) if sees else (there or nothing, nothing)
    async with author_of(words, eyes) as author:
        servicer = CaptionServicer(WriteTexts(world.out.store, world.out.catalog, author))
        register = add_CaptionServiceServicer_to_server
        async with serve(servicer, CAPTIONS, register, CaptionServiceStub) as stub:
            yield stub


def answers(*texts: str) -> Any:
    return says(json.dumps({"captions": texts}))


async def test_without_a_model_templates_write(world: World) -> None:
    photo = dressed(world)
    async with captions(world) as stub:
        found = await stub.SuggestCaptions(pb.SuggestCaptionsRequest(photo=photo))
        again = await stub.SuggestCaptions(pb.SuggestCaptionsRequest(photo=photo))
    texts = [each.caption for each in found.captions]
    assert len(set(texts)) == 3
    assert all("dog and beach" in text.lower() for text in texts)
    assert {each.source for each in found.captions} == {TEMPLATE}
    assert found == again
    assert not found.note


async def test_a_model_writes_in_the_manner_of_the_persona(world: World) -> None:
    photo = dressed(world)
    good = "A dog, a beach, and nobody to tell them what to do with it today."
    async with (
        language_model([answers(good, "Tag a friend! Nice weather.", "Dog.")]) as model,
        captions(world, model) as stub,
    ):
        asked = pb.SuggestCaptionsRequest(photo=photo, count=2, hint="an old dog")
        found = await stub.SuggestCaptions(asked)
    assert [(each.caption, each.source, each.model) for each in found.captions] == [
        (good, MODEL_SAYS, MODEL),
        ("Dog.", MODEL_SAYS, MODEL),
    ]
    told = model.asked[0].question
    assert told["persona"]["voice"] == "Dry."
    assert told["photo"]["objects"] == ["dog", "beach"]
    assert told["say_besides"] == "an old dog"
    assert told["avoid_topics"] == ["weather"]


async def test_a_model_that_sees_is_shown_the_picture(world: World) -> None:
    photo = dressed(world)
    async with (
        language_model([answers("A dog on a beach.")]) as model,
        captions(world, model, sees=True) as stub,
    ):
        await stub.SuggestCaptions(pb.SuggestCaptionsRequest(photo=photo, count=1))
    [_, user] = model.asked[0].body["messages"]
    assert user["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


async def test_templates_stand_in_and_say_why(world: World) -> None:
    photo = dressed(world)
    request = pb.SuggestCaptionsRequest(photo=photo)
    async with (
        language_model([nonsense, nonsense, fails(400)]) as model,
        captions(world, model) as stub,
    ):
        twice_nonsense = await stub.SuggestCaptions(request)
        refused = await stub.SuggestCaptions(request)
    for found in (twice_nonsense, refused):
        assert [each.source for each in found.captions] == [TEMPLATE] * 3
        assert "the language model wrote none" in found.note
    assert len(model.asked) == 3


async def test_templates_fill_up_what_the_model_leaves(world: World) -> None:
    photo = dressed(world)
    async with (
        language_model([answers("Like and share!", "The dog again.")]) as model,
        captions(world, model) as stub,
    ):
        found = await stub.SuggestCaptions(pb.SuggestCaptionsRequest(photo=photo))
    assert [each.source for each in found.captions] == [MODEL_SAYS, TEMPLATE, TEMPLATE]
    assert found.captions[0].caption == "The dog again."


async def test_runs_of_words_that_came_twice_are_avoided(world: World) -> None:
    photo = dressed(world)
    await world.connect()
    for _ in range(2):
        await world.schedule(caption="The dog again and again.")
    worn, fresh = "The dog again.", "A dog with a plan for this long and very empty beach."
    async with language_model([answers(worn, fresh)]) as model, captions(world, model) as stub:
        found = await stub.SuggestCaptions(pb.SuggestCaptionsRequest(photo=photo, count=2))
    assert [each.caption for each in found.captions] == [fresh, worn]
    assert "the dog again" in model.asked[0].question["avoid_phrases"]


async def test_hashtags_are_those_of_persona_pillar_and_photo(world: World) -> None:
    photo = dressed(world)
    async with captions(world) as stub:
        found = (await stub.SuggestHashtags(pb.SuggestHashtagsRequest(photo=photo))).hashtags
        two = (await stub.SuggestHashtags(pb.SuggestHashtagsRequest(photo=photo, count=2))).hashtags
    tags = [each.hashtag for each in found]
    assert tags[0] == "#nora"
    assert {"#beach", "#Light"} <= set(tags)
    assert "#dog" not in tags
    assert len(tags) == len(set(tags)) <= 6
    assert [each.hashtag for each in two] == tags[:2]


async def test_what_is_wrong_is_named(world: World) -> None:
    photo = dressed(world)
    async with captions(world) as stub:
        with pytest.raises(InvalidArgument, match="count"):
            await stub.SuggestCaptions(pb.SuggestCaptionsRequest(photo=photo, count=4))
        with pytest.raises(NotFound):
            unknown = f"{NORA}/photos/00000000-0000-0000-0000-00000000ffff"
            await stub.SuggestHashtags(pb.SuggestHashtagsRequest(photo=unknown))
        world.catalog.is_down = True
        with pytest.raises(Unavailable):
            await stub.SuggestCaptions(pb.SuggestCaptionsRequest(photo=photo))


async def test_posts_of_a_batch_get_texts_where_that_is_asked_for(world: World) -> None:
    plain = dressed(world)
    said = world.catalog.add_photo(caption="What a person wrote.")
    given = world.catalog.add_photo()
    gone = f"{NORA}/photos/00000000-0000-0000-0000-000000000000"
    await world.connect_both()
    wanted = [
        *(scheduler.BatchPost(photo=photo) for photo in (plain, said, gone)),
        scheduler.BatchPost(photo=given, caption="Mine.", hashtags=["own"]),
    ]
    request = BatchCreatePostsRequest(parent=NORA, posts=wanted, compose=True)
    results = (await world.stub.BatchCreatePosts(request)).results
    assert [bool(result.status.code) for result in results] == [False, False, True, False]
    posts = {result.photo: result.post for result in results}
    assert posts[plain].caption
    assert posts[said].caption == "What a person wrote."
    for photo in (plain, said):
        assert posts[photo].hashtags[0].removeprefix("#") == "nora"
        assert len(posts[photo].final_text) <= 500
    assert (posts[given].caption, list(posts[given].hashtags)) == ("Mine.", ["own"])
    bare = world.catalog.add_photo(caption="Not asked for.")
    request = BatchCreatePostsRequest(parent=NORA, posts=[scheduler.BatchPost(photo=bare)])
    [result] = (await world.stub.BatchCreatePosts(request)).results
    assert (result.post.caption, list(result.post.hashtags)) == ("", [])


async def test_planned_posts_get_texts_that_their_networks_take(world: World) -> None:
    dressed(world)
    for number in range(3):
        world.catalog.add_photo(tags=["dog", f"word-{number}"], quality=0.5)
    said = world.catalog.add_photo(caption="What a person wrote.", quality=0.9)
    await world.connect_both()
    cases = planner_cases(world.out, world.settings)
    servicer = PlannerServicer(cases.plans, cases.export, PageTokens(b"s"))
    register = add_PlannerServiceServicer_to_server
    request = CommitPlanRequest(parent=NORA, options=PlanOptions(days=14), compose=True)
    async with serve(servicer, PLANNER, register, PlannerServiceStub) as planner:
        results = (await planner.CommitPlan(request)).results
    posts: dict[str, Post] = {result.post.photo: result.post for result in results}
    assert not any(result.status.code for result in results)
    assert len(posts) == 5
    assert posts[said].caption == "What a person wrote."
    texts = [post.caption for post in posts.values()]
    assert all(texts)
    assert len(set(texts)) == len(texts)
    for post in posts.values():
        assert post.hashtags[0].removeprefix("#") == "nora"
        assert len(post.final_text) <= 500
