from services.clustering.algorithms.titles import Labels
from services.clustering.domain.words import labels_of, replaced, words_of


def test_words_come_back_as_labels() -> None:
    words = words_of("trips/rome/IMG_1.jpg", ["sun", "tag:odd"], ["On the road", ""])
    assert labels_of(words) == Labels("trips/rome/IMG_1.jpg", ("sun", "tag:odd"), ("On the road",))


def test_nothing_is_written() -> None:
    assert words_of("", [], []) == ()
    assert labels_of(()) == Labels()


def test_other_tags_and_texts_leave_the_file() -> None:
    words = words_of("a.jpg", ["old"], ["Old"])
    assert labels_of(replaced(words, ["new"], ["New"])) == Labels("a.jpg", ("new",), ("New",))
