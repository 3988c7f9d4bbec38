import pytest

from services.scheduler.providers.texts import comparable, letters, plain, without_hosts

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
