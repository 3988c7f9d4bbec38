import pytest

from services.clustering.domain.facts import (
    Usage,
    prose_of,
    query_words,
    usage_of,
    usage_of_post,
)


def test_prose_is_the_words_of_paths_and_tags() -> None:
    words = ("file:2026/Beach-Trip/IMG_001.jpg", "tag:golden-hour", "text:Über uns")
    assert prose_of(words) == "2026 beach trip img 001 jpg golden hour über uns"


def test_each_word_of_a_query_counts_once() -> None:
    assert query_words("A dog, a DOG & the beach!") == ("a", "dog", "the", "beach")
    assert query_words(" -- ") == ()
    assert len(query_words(" ".join(f"w{n}" for n in range(50)))) == 12


@pytest.mark.parametrize(
    ("state", "posted", "usage"),
    [
        ("DRAFT", False, Usage.SCHEDULED),
        ("SCHEDULED", False, Usage.SCHEDULED),
        ("POSTED", False, Usage.POSTED),
        ("FAILED", True, Usage.POSTED),
        ("FAILED", False, Usage.SCHEDULED),
        ("CANCELLED", True, Usage.UNUSED),
    ],
)
def test_how_a_post_uses_a_photo(state: str, posted: bool, usage: Usage) -> None:
    assert usage_of_post(state, posted=posted) is usage


def test_how_all_posts_use_a_photo() -> None:
    assert usage_of([]) is Usage.UNUSED
    assert usage_of([Usage.POSTED, Usage.UNUSED]) is Usage.POSTED
    assert usage_of([Usage.POSTED, Usage.SCHEDULED]) is Usage.SCHEDULED
