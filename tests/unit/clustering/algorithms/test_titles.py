import pytest

from services.clustering.algorithms.titles import Labels, make_titles
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
        ([Labels(texts=("An oak table in a bright kitchen",))] * 4, "Oak table bright"),
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
