from datetime import UTC, datetime, timedelta

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition
from services.scheduler import convert
from services.scheduler.domain.channel import ChannelState
from services.scheduler.domain.post import PostState
from services.scheduler.domain.publication import Problem, PublicationState
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post, a_publication


def test_every_state_has_its_message() -> None:
    for state in PostState:
        message = convert.post_message(a_post(NOON, state=state))
        assert Post.State.Name(message.state) == f"STATE_{state.name}"
    for state in PublicationState:
        message = convert.publication_message(a_publication(NOON, state=state))
        assert Publication.State.Name(message.state) == f"STATE_{state.name}"
    for state in ChannelState:
        message = convert.channel_message(a_channel(NOON, state=state))
        assert Channel.State.Name(message.state) == f"STATE_{state.name}"
    for enum, states in ((Post, PostState), (Publication, PublicationState)):
        assert len(enum.State.values()) == len(states) + 1


def test_a_failed_publication_says_why() -> None:
    problem = Problem("PUBLISH_FAILED", "too dark", True, "https://help.example")
    message = convert.publication_message(a_publication(NOON, problem=problem))
    assert message.name == "personas/nora/posts/post/publications/pub"
    assert message.error.reason == "PUBLISH_FAILED"
    assert message.error.message == "too dark"
    assert message.error.retryable
    assert message.error.support_uri == "https://help.example"
    assert not convert.publication_message(a_publication(NOON)).HasField("error")


def test_what_is_secret_is_in_no_message() -> None:
    post = convert.post_message(a_post(NOON))
    channel = convert.channel_message(a_channel(NOON, sealed_token="sealed-secret"))
    assert "secret" not in str(post) + str(channel)


def test_times_that_are_none_are_refused() -> None:
    assert convert.moment(Timestamp(seconds=1), "t") == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    for seconds in (10**15, -(10**15)):
        with pytest.raises(InvalidArgument) as caught:
            convert.moment(Timestamp(seconds=seconds), "post.scheduled_time")
        assert caught.value.violations[0].field == "post.scheduled_time"


def test_a_filter_names_states_as_the_contract_does() -> None:
    text = 'state = "FAILED" AND scheduled_time >= "2026-03-02T12:00:00Z"'
    assert convert.post_conditions(text) == [
        Condition("state", "=", PostState.FAILED),
        Condition("scheduled_time", ">=", NOON),
    ]
    with pytest.raises(InvalidArgument, match="AWAITING_IMAGE"):
        convert.post_conditions('state = "failed"')


def test_the_latest_come_first_unless_told() -> None:
    assert convert.is_descending("")
    assert convert.is_descending("scheduled_time desc")
    assert not convert.is_descending("scheduled_time")
    with pytest.raises(InvalidArgument):
        convert.is_descending("create_time")


def test_what_is_unset_is_left_to_the_use_case() -> None:
    post = Post(photo="personas/nora/photos/1", caption="Light")
    new = convert.new_post(pb.CreatePostRequest(parent="personas/nora", post=post))
    assert (new.scheduled_time, new.channels) == (None, None)
    post.channels.append("personas/nora/channels/insta")
    post.scheduled_time.FromDatetime(NOON + timedelta(hours=1))
    new = convert.new_post(pb.CreatePostRequest(parent="personas/nora", post=post))
    assert new.channels == (("nora", "insta"),)
    assert new.scheduled_time == NOON + timedelta(hours=1)


def test_a_new_channel_shows_no_key() -> None:
    channel = Channel(provider=Channel.PROVIDER_BUFFER, access_token="very-secret")
    new = convert.new_channel(pb.CreateChannelRequest(parent="personas/nora", channel=channel))
    assert new.token == "very-secret"
    assert "very-secret" not in repr(new)
