import pytest

from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.identity import carry_keys, compare


def items(text: str) -> tuple[str, ...]:
    return tuple(text)


@pytest.mark.parametrize(
    ("old", "new", "pinned", "keys"),
    [
        pytest.param({"g1": "abcd"}, ["abcd"], "", ["g1"], id="the same"),
        pytest.param({"g1": "abcd"}, ["abcdxyzuvw"], "", ["g1"], id="grown"),
        pytest.param({"g1": "abcd"}, ["ab"], "", ["g1"], id="shrunk to a half"),
        pytest.param({"g1": "abcd"}, ["abx", "cdy"], "", ["g1", "g9"], id="a tie: first one"),
        pytest.param({"g1": "abcdef"}, ["ab", "cdef"], "", ["g9", "g1"], id="split: larger part"),
        pytest.param({"g1": "abcd", "g2": "ef"}, ["abcdef"], "", ["g1"], id="merged: larger one"),
        pytest.param({"g1": "abcd", "g2": "ef"}, ["abcdef"], "g2", ["g2"], id="pinned one first"),
        pytest.param({"g1": "abcd"}, ["axyz"], "", ["g9"], id="one common item is too little"),
        pytest.param({"g1": "abcdef"}, ["abxyzu"], "", ["g9"], id="a third is too little"),
        pytest.param({"g1": "abc", "g2": "def"}, ["de", "ab"], "", ["g2", "g1"], id="crossed"),
        pytest.param({"g10": "ab", "g9": "cd"}, ["abcd"], "", ["g9"], id="tie: the older key"),
        pytest.param({}, ["ab", "cd"], "", ["g9", "g10"], id="nothing before"),
        pytest.param({"g1": "ab"}, [], "", [], id="nothing now"),
    ],
)
def test_keys_are_carried_over(old, new, pinned, keys):
    previous = Previous(
        {key: items(text) for key, text in old.items()},
        9 if "g10" not in old else 11,
        frozenset([pinned] if pinned else []),
    )
    found, next_key = carry_keys([items(text) for text in new], previous)
    assert found == keys
    assert next_key == previous.next_key + sum(key not in old for key in keys)


def test_items_that_are_gone_do_not_count_against_a_group():
    previous = Previous({"g1": items("abcdefgh")}, 2)
    assert carry_keys([items("ab")], previous) == (["g1"], 2)


@pytest.mark.parametrize(
    ("before", "after", "born", "split", "merged", "retired"),
    [
        pytest.param({"g1": "abcd"}, {"g1": "abcde"}, (), {}, {}, (), id="grown"),
        pytest.param({}, {"g1": "ab"}, ("g1",), {}, {}, (), id="born"),
        pytest.param({"g1": "abcd"}, {}, (), {}, {}, ("g1",), id="retired"),
        pytest.param(
            {"g1": "abcd", "g2": "ef"}, {"g1": "abcdef"}, (), {}, {"g2": "g1"}, (), id="m"
        ),
        pytest.param(
            {"g1": "abcdef"},
            {"g1": "abc", "g2": "def"},
            ("g2",),
            {"g1": ("g1", "g2")},
            {},
            (),
            id="split",
        ),
        pytest.param(
            {"g1": "abcdefghij"},
            {"g1": "abcdefghi", "g2": "jxyz"},
            ("g2",),
            {},
            {},
            (),
            id="one left",
        ),
    ],
)
def test_differences(before, after, born, split, merged, retired):
    diff = compare(before, after)
    assert (diff.born, diff.split, diff.merged, diff.retired) == (born, split, merged, retired)
