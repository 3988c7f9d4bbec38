"""Photos in words."""

from services.catalog.domain.seen import Orientation, Seen, common_tag, nearest, shapes, showing


def test_a_photo_says_what_its_tags_texts_file_and_folders_say() -> None:
    photo = Seen("1", ("Red door",), "At noon", "A cat", "Trips/IMG_2034-old-harbour_2.jpeg")
    assert set(photo.stems) == {"red", "door", "noon", "cat", "trip", "old", "harbour"}
    assert Seen("1", path="DSC01234.JPG").stems == ()


def test_showing_counts_whole_phrases() -> None:
    seen = [Seen("1", caption="Two red doors"), Seen("2", tags=("red",), caption="A blue door")]
    assert showing("red door", seen) == 1
    assert showing("doors", seen) == 2
    assert showing("", seen) == 0


def test_nearest_are_those_that_share_most_and_rare_words() -> None:
    seen = [
        Seen("plain", ("coffee",)),
        Seen("best", ("coffee", "window", "steam")),
        Seen("far", ("sea",)),
        Seen("wordless", path="IMG_1.jpg"),
        Seen("long", ("coffee",), "one two three four five six seven eight nine ten"),
    ]
    assert nearest("Coffee with steam by the window", seen, 5) == ["best", "plain", "long"]
    assert nearest("Coffee with steam by the window", seen, 1) == ["best"]
    assert nearest("", seen, 5) == []
    assert nearest("coffee", [], 5) == []


def test_almost_square_is_square() -> None:
    seen = [Seen("1", width=100, height=104), Seen("2", width=100, height=120), Seen("3", width=9)]
    assert shapes(seen) == {Orientation.SQUARE: 1, Orientation.UPRIGHT: 1, Orientation.LEVEL: 1}


def test_a_tag_is_common_from_four_photos_on() -> None:
    same = [Seen(str(n), ("espresso",)) for n in range(3)]
    assert common_tag(same) is None
    assert common_tag([*same, Seen("4", ("tea",))]) == ("espresso", 3)
    assert common_tag([*same, Seen("4"), Seen("5")]) is None
