"""What two photos are to each other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clustering.domain.verdict import (
    Evidence,
    Look,
    Thresholds,
    Verdict,
    is_seen_again,
    verdict_of,
)

SET = Thresholds(scene_cosine=0.7)
COPY = Look(structure=0.99, agreement=1.0, overlap=1.0, colour=0.1)
SMALL, LARGE = 100 * 75, 2000 * 1500

CASES = [
    ("nothing is known", Evidence(), Verdict.DIFFERENT),
    ("all the same", Evidence(look=COPY), Verdict.DUPLICATE),
    ("a small crop", Evidence(look=replace(COPY, overlap=0.81)), Verdict.DUPLICATE),
    ("a strong crop", Evidence(look=replace(COPY, overlap=0.6)), Verdict.VARIANT),
    ("other colours", Evidence(look=replace(COPY, colour=0.8)), Verdict.VARIANT),
    ("writing on it", Evidence(look=replace(COPY, structure=0.7, agreement=0.7)), Verdict.VARIANT),
    (
        "nearly the same shot",
        Evidence(look=replace(COPY, structure=0.967, agreement=0.9), cosine=0.96),
        Verdict.VARIANT,
    ),
    (
        "another shot",
        Evidence(cosine=0.95, look=Look(0.4, 0.2, 0.9, 0.1)),
        Verdict.BURST,
    ),
    (
        "a small copy has lost details",
        Evidence(distance=8, look=replace(COPY, structure=0.8, agreement=0.4), pixels=SMALL),
        Verdict.DUPLICATE,
    ),
    (
        "a large one has not",
        Evidence(distance=8, look=replace(COPY, structure=0.8, agreement=0.4), pixels=LARGE),
        Verdict.DIFFERENT,
    ),
    (
        "a small one whose hash is far",
        Evidence(distance=50, look=replace(COPY, structure=0.8, agreement=0.4), pixels=SMALL),
        Verdict.DIFFERENT,
    ),
    ("hashes alone, near", Evidence(distance=18), Verdict.DUPLICATE),
    ("hashes alone, less near", Evidence(distance=19), Verdict.DIFFERENT),
    (
        "near hashes, another picture",
        Evidence(distance=0, look=Look(0, 0, 0, 0)),
        Verdict.DIFFERENT,
    ),
    ("vectors alone", Evidence(cosine=0.92), Verdict.BURST),
    ("vectors alone, less near", Evidence(cosine=0.919), Verdict.DIFFERENT),
    ("soon after", Evidence(cosine=0.7, seconds_apart=60), Verdict.BURST),
    ("soon after, another scene", Evidence(cosine=0.69, seconds_apart=1), Verdict.DIFFERENT),
    ("much later, the same scene", Evidence(cosine=0.99, seconds_apart=61), Verdict.DIFFERENT),
    ("a moment later, all the same", Evidence(0.99, 2, 1, COPY, 1), Verdict.BURST),
    ("in the same second", Evidence(0.99, 2, 1, COPY, 0), Verdict.DUPLICATE),
    ("much later, a copy", Evidence(look=COPY, seconds_apart=90_000), Verdict.DUPLICATE),
]


@pytest.mark.parametrize(
    ("evidence", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_kind_of_evidence_has_its_verdict(evidence: Evidence, verdict: Verdict) -> None:
    assert verdict_of(evidence, SET) is verdict


shares = st.floats(0, 1)
looks = st.builds(Look, structure=st.floats(-1, 1), agreement=shares, overlap=shares, colour=shares)
evidences = st.builds(
    Evidence,
    cosine=st.none() | st.floats(-1, 1),
    distance=st.none() | st.integers(0, 136),
    orientation=st.integers(0, 8),
    look=st.none() | looks,
    seconds_apart=st.none() | st.floats(0, 1e6),
    pixels=st.integers(1, 10**8),
)


@given(evidence=evidences, stricter=shares)
def test_a_stricter_threshold_makes_no_more_copies(evidence: Evidence, stricter: float) -> None:
    strict = replace(
        SET,
        min_structure=max(SET.min_structure, stricter),
        max_distance=min(SET.max_distance, int(stricter * 136)),
        min_overlap=max(SET.min_overlap, stricter),
        max_colour=min(SET.max_colour, stricter),
    )
    if verdict_of(evidence, strict) is Verdict.DUPLICATE:
        assert verdict_of(evidence, SET) is Verdict.DUPLICATE


@given(evidence=evidences)
def test_vectors_alone_never_make_a_copy(evidence: Evidence) -> None:
    blind = replace(evidence, look=None, distance=None)
    assert verdict_of(blind, SET) in (Verdict.BURST, Verdict.DIFFERENT)


def test_only_copies_and_edits_that_show_half_of_it_are_one_picture_to_who_sees_them() -> None:
    half = Evidence(look=replace(COPY, overlap=0.5))
    assert is_seen_again(Verdict.VARIANT, half)
    assert not is_seen_again(Verdict.VARIANT, Evidence(look=replace(COPY, overlap=0.49)))
    assert is_seen_again(Verdict.DUPLICATE, Evidence(distance=3))
    assert not is_seen_again(Verdict.BURST, half)
    assert not is_seen_again(Verdict.DIFFERENT, half)
