"""Which texts at a provider are those that were sent, and which are edits."""

import unicodedata
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.providers.base import Publisher, RemotePost, RemoteState
from services.scheduler.providers.bluesky import BlueskyPublisher
from services.scheduler.providers.buffer import BufferPublisher
from services.scheduler.providers.instagram import InstagramPublisher
from services.scheduler.providers.mastodon import MastodonPublisher
from services.scheduler.providers.postiz import PostizPublisher
from services.scheduler.providers.texts import plain
from services.scheduler.providers.webhook import WebhookPublisher
from tests.support.clock import NOON
from tests.support.mastodon.stand_in import markup

NOBODY = cast(Any, None)
BUFFER = BufferPublisher(NOBODY)
MASTODON = MastodonPublisher(NOBODY, NOBODY, url="https://m.example", now=lambda: NOON)
BLUESKY = BlueskyPublisher(NOBODY, NOBODY, now=lambda: NOON)
POSTIZ = PostizPublisher(NOBODY, NOBODY, now=lambda: NOON)
INSTAGRAM = InstagramPublisher(NOBODY, now=lambda: NOON)
WEBHOOK = WebhookPublisher(NOBODY, url="https://w.example", now=lambda: NOON)
THAT_TELL = [BUFFER, MASTODON, BLUESKY, POSTIZ, INSTAGRAM]
TEXT = "Café <3 & @bob@o.social\n\nhttps://studio.example/a?b=1 #tea"


def post(text: str, link: str | None = "https://x.example/1") -> RemotePost:
    return RemotePost("1", "acc", RemoteState.SENT, text, NOON, external_link=link)


def by_name(publisher: Publisher) -> str:
    return publisher.name


@pytest.mark.parametrize("publisher", THAT_TELL, ids=by_name)
def test_forms_of_one_text_are_no_edits(publisher: Publisher) -> None:
    decomposed = unicodedata.normalize("NFD", TEXT)
    for shown in (TEXT, f" {TEXT}\n", TEXT.replace("\n", "\r\n"), decomposed):
        assert publisher.reads(post(shown), TEXT)


@pytest.mark.parametrize("publisher", THAT_TELL, ids=by_name)
@pytest.mark.parametrize(
    "shown",
    ["", "Another text", TEXT + ".", TEXT.replace("#tea", "#tee"), TEXT.replace("a?", "b?")],
)
def test_other_texts_are(publisher: Publisher, shown: str) -> None:
    assert not publisher.reads(post(shown), TEXT)


def test_a_link_that_buffer_shortened_is_no_edit_and_another_link_is() -> None:
    short = TEXT.replace("https://studio.example/a?b=1", "https://buff.ly/3xYz")
    assert BUFFER.reads(post(short), TEXT)
    assert not BUFFER.reads(post(short + "!"), TEXT)
    other = TEXT.replace("studio.example", "other.example")
    assert not BUFFER.reads(post(other), TEXT)


@given(text=st.text(st.sampled_from("ab<>& \n#@.:/é"), max_size=60).map(str.strip))
def test_what_mastodon_makes_of_a_text_is_no_edit(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert MASTODON.reads(post(plain(markup(text)).strip()), text)


def test_what_postiz_makes_of_a_text_is_no_edit() -> None:
    html = "<p>Café &lt;3 &amp; @bob@o.social</p><p>https://studio.example/a?b=1 #tea</p>"
    assert POSTIZ.reads(post(html), TEXT)
    assert not POSTIZ.reads(post(html.replace("#tea", "#tee")), TEXT)


def test_a_post_of_which_only_the_container_is_known_tells_no_text() -> None:
    assert INSTAGRAM.reads(post("", link=None), TEXT)


def test_nobody_tells_what_a_receiver_makes_of_a_message() -> None:
    assert WEBHOOK.reads(post("Another text"), TEXT)
