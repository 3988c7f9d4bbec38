from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clustering.algorithms.titles import (
    NOTHING_ELSE,
    Background,
    Labels,
    Unnamed,
    is_due,
    make_titles,
    name_groups,
    shared_terms,
)
from services.clustering.algorithms.words import words_of_file, words_of_text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("IMG_1234.jpg", []),
        ("DSC00017.JPG", []),
        ("2024-05-01 12.33.44.png", []),
        ("PXL_20240501_123344556.MP.jpg", []),
        ("3f2b8c1e-1111-4222-8333-123456789abc.webp", []),
        ("deadbeefcafe.jpg", []),
        ("Screenshot 2024-01-01 at 10.00.00.png", []),
        ("BeachSunset-IMG_1234.jpg", ["beach", "sunset"]),
        ("Trips/Rome 2024/colosseum_02.jpeg", ["trips", "rome", "colosseum"]),
        ("Café_crème.jpg", ["café", "crème"]),
        ("海辺_写真.jpg", ["海辺", "写真"]),
    ],
)
def test_words_of_files(path, words):
    assert words_of_file(path) == words


def test_words_of_texts_leave_out_glue():
    assert words_of_text("A photo of the Red Bicycle, leaning on 3 walls!") == [
        "red",
        "bicycle",
        "leaning",
        "walls",
    ]


def files(*names: str) -> list[Labels]:
    return [Labels(file_name=name) for name in names]


def tagged(count: int, *tags: str) -> list[Labels]:
    return [Labels(f"IMG_{i}.jpg", tags=tags) for i in range(count)]


@pytest.mark.parametrize(
    ("members", "title"),
    [
        (files(*(f"IMG_{i}.jpg" for i in range(14))), "Group of 14 photos"),
        (files("a/beach_sunset_1.jpg", "beach-sunset-2.jpg"), "Beach sunset"),
        (files("dress-01.jpg", "dress-02.jpg", "hat.jpg"), "Dress photos"),
        (files("shoe-1.jpg", "shoes-2.jpg", "shoes-3.jpg"), "Shoe photos"),
        (tagged(5, "latte art", "coffee"), "Latte art coffee"),
        ([Labels(texts=("An oak table in a bright kitchen",))] * 4, "Oak table bright kitchen"),
        ([], "Group of 0 photos"),
    ],
)
def test_title_of_one_group(members, title):
    assert make_titles({"g1": members}) == {"g1": title}


def test_words_that_tell_groups_apart_come_before_common_ones():
    titles = make_titles(
        {
            "g1": [Labels(tags=("studio", "red", "shoes"))] * 6,
            "g2": [Labels(tags=("studio", "blue", "hats"))] * 6,
            "g3": [Labels(tags=("studio", "green", "bags"))] * 6,
        }
    )
    assert titles == {"g1": "Red shoes", "g2": "Blue hats", "g3": "Green bags"}


def test_a_rare_word_does_not_name_a_group():
    members = [*files(*(f"market-fruit-{i}.jpg" for i in range(9))), *files("unicorn.jpg")]
    assert "nicorn" not in make_titles({"g1": members, "g2": files("x.jpg")})["g1"]


def test_no_two_titles_are_alike():
    groups = {f"g{i}": tagged(5, "beach", "sunset", "palm", "sand") for i in range(8)}
    groups |= {f"g{i}": tagged(7) for i in range(8, 12)}
    titles = make_titles(groups)
    assert len({title.casefold() for title in titles.values()}) == 12


def test_titles_are_short_and_start_with_a_capital():
    words = ["extraordinarily", "incomprehensible", "characteristics", "misunderstanding"]
    groups = {f"g{i}": tagged(4, *words[i % 4 :], f"thing{'abc'[i % 3]}") for i in range(9)}
    for title in make_titles(groups).values():
        assert 0 < len(title) <= 50
        assert title[0].isupper()


def test_titles_do_not_depend_on_the_order_of_groups_or_members():
    groups = {
        "g1": files("red-car.jpg", "red-car-2.jpg", "car-red.jpg"),
        "g2": files("blue-car.jpg", "blue-boat.jpg"),
    }
    turned = {key: members[::-1] for key, members in reversed(groups.items())}
    assert make_titles(groups) == make_titles(turned)


def test_another_noun():
    assert make_titles({"g1": files("1.txt")}, noun="issues") == {"g1": "Group of 1 issues"}


def red_shoes(count: int, *more: str) -> list[Labels]:
    return [Labels(tags=("red", "shoes", *more))] * count


def named(members: Sequence[Labels], title: str = "", *, besides=NOTHING_ELSE, taken=()) -> str:
    group = Unnamed(len(members), members, title)
    return name_groups({"g": group}, besides, taken)["g"].title


OTHERS = Background(classes=2, words=60.0, counts={"studio": 30.0, "hats": 15.0})


def test_what_other_groups_are_about_counts_without_naming_them_again():
    members = [Labels(tags=("studio", "mug"))] * 6 + [Labels(tags=("studio", "lamp"))] * 4
    assert named(members) == "Studio lamp mug"
    assert named(members, besides=OTHERS) == "Lamp mug"


def test_pairs_of_words_stay_together_where_they_belong_together():
    members = [Labels(texts=(f"Machine learning for {what}",)) for what in ("cats", "dogs", "owls")]
    assert named(members) == "Machine learning"


def test_a_group_that_grows_keeps_its_title():
    small = red_shoes(6, "studio")
    title = named(small)
    grown = [*small, *red_shoes(8, "boots")]
    assert named(grown) != title
    assert named(grown, title) == title


def test_a_title_that_another_beats_clearly_goes():
    assert named([Labels(tags=("blue", "hats"))] * 9 + red_shoes(3), "Red shoes") == "Blue hats"


def test_a_title_that_is_taken_by_now_goes():
    assert named(red_shoes(6), "Shoes red", taken=["shoes RED"]) == "Red shoes"


@pytest.mark.parametrize("title", ["Group of 4 photos", "Shoe photos (2)"])
def test_last_resorts_are_not_kept(title):
    assert named(red_shoes(6), title) == "Red shoes"


@pytest.mark.parametrize(
    ("size", "changed", "due"),
    [(0, 0, True), (10, 1, False), (10, 2, True), (1000, 199, False), (1000, 200, True)],
)
def test_a_group_is_named_again_after_a_fifth_changed(size, changed, due):
    assert is_due(size, changed) is due


def test_what_is_remembered_of_a_group_is_bounded():
    members = [Labels(texts=(" ".join(f"word{a}x{b}" for b in "abcdefgh"),)) for a in "klmnopqrst"]
    made = name_groups({"g": Unnamed(10, [Labels(texts=("common thing",)), *members])})["g"]
    assert len(made.terms) <= 48


WORDS = st.sampled_from(["mug", "lamp", "boat", "tree", "bird", "chair", "sky", "latte", "art"])
MEMBER = st.builds(Labels, tags=st.lists(WORDS, max_size=4).map(tuple))
GROUPS = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(MEMBER, min_size=1, max_size=8), min_size=1
)


@given(GROUPS, st.sets(WORDS, max_size=2))
def test_titles_are_short_different_and_stay_as_they_are(groups, taken):
    titles = make_titles(groups, taken=taken)
    folded = [title.casefold() for title in (*titles.values(), *taken)]
    assert len(set(folded)) == len(folded)
    assert all(0 < len(title) <= 50 for title in titles.values())
    again = {key: Unnamed(len(m), m[::-1], titles[key]) for key, m in groups.items()}
    assert {k: n.title for k, n in name_groups(again, taken=taken).items()} == titles


@given(GROUPS)
def test_naming_one_group_beside_the_others_is_naming_all(groups):
    whole = name_groups({key: Unnamed(len(m), m) for key, m in groups.items()})
    key, members = next(iter(groups.items()))
    others = [name for other, name in whole.items() if other != key]
    counts: dict[str, float] = {}
    for name in others:
        for term, weight in name.terms.items():
            counts[term] = counts.get(term, 0.0) + weight
    background = Background(len(others), sum(name.words for name in others), counts)
    alone = name_groups(
        {key: Unnamed(len(members), members, whole[key].title)},
        background,
        [name.title for name in others],
    )
    assert alone[key].title == whole[key].title


def test_words_that_many_share():
    members = [Labels(texts=(f"Login fails after reset {n}",)) for n in "abc"]
    assert shared_terms(members, 3) == ["login fails", "reset"]
