import pytest

from services.scheduler.providers.texts import (
    comparable,
    is_but_for_links,
    letters,
    plain,
    without_hosts,
)

MARKUP = (
    '<p>Tea &amp; light<br />here</p><p><a href="https://a.example/b">'
    '<span class="invisible">https://</span><span>a.example/b</span></a> '
    '<a href="/tags/cats">#<span>cats</span></a></p>'
)


def test_markup_reads_as_people_see_it() -> None:
    assert plain(MARKUP).strip() == "Tea & light\nhere\nhttps://a.example/b #cats"
    written = "Tea & light\nhere\n\nhttps://a.example/b #cats"
    assert letters(plain(MARKUP)) == letters(written)


def test_equal_texts_are_equal_in_any_form_of_unicode() -> None:
    assert comparable("Gru\u0308ße\r\n ") == comparable("Grüße")
    assert letters("a b") != letters("a c")


@pytest.mark.parametrize(
    ("shown", "is_same"),
    [
        ("see https://s.example/x1 now", True),
        ("see https://a.example/b now", True),
        ("see https://other.example/b now", False),
        ("see https://[broken now", False),
        ("see https:/// now", False),
        ("look https://s.example/x1 now", False),
        ("see now", False),
    ],
)
def test_links_may_be_short_and_nothing_else_another(shown: str, is_same: bool) -> None:
    sent = "see https://a.example/b now"
    assert is_but_for_links(shown, sent, {"s.example"}) is is_same


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("With @bob@o.social.", "With @bob."),
        ("@a.b-c@x.example/@d@y.example", "@a.b-c/@d@y.example"),
        ("see https://o.social/@bob@p.social", "see https://o.social/@bob@p.social"),
        ("me@o.social and @nora", "me@o.social and @nora"),
    ],
)
def test_mentions_are_shown_without_their_host(written: str, shown: str) -> None:
    assert without_hosts(written) == shown
