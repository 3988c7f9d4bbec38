"""What detectors and classifiers say, made into findings."""

import numpy as np
import pytest

from services.embedding.detection import Finding, classified, detected
from services.embedding.regions import Region

LABELS = ["", "face"]


def floats(*rows: object) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(rows, np.float32)


def test_a_classifier_tells_what_is_likely_best_first() -> None:
    found = classified(floats(0.2, 0.7, 0.1), ["cat", "dog", "fish"], 0.15)
    assert found == (Finding("dog", 0.7), Finding("cat", 0.2))


def test_logits_become_probabilities() -> None:
    (found,) = classified(floats(0.0, 5.0), ["cat", "dog"], 0.5)
    assert (found.label, found.score) == ("dog", pytest.approx(0.9933, abs=1e-4))


def test_of_boxes_that_overlap_the_best_is_kept() -> None:
    boxes = floats((0.1, 0.1, 0.5, 0.5), (0.12, 0.1, 0.52, 0.5), (0.6, 0.6, 0.9, 0.9))
    scores = floats((0.2, 0.8), (0.1, 0.9), (0.4, 0.6))
    found = detected(boxes, scores, LABELS, 0.5, 0.4)
    assert [finding.score for finding in found] == [pytest.approx(0.9), pytest.approx(0.6)]
    assert found[0].region == Region(*(float(side) for side in boxes[1]))


def test_different_things_may_overlap() -> None:
    boxes = floats((0.1, 0.1, 0.5, 0.5), (0.1, 0.1, 0.5, 0.5))
    scores = floats((0.9, 0.0), (0.0, 0.8))
    found = detected(boxes, scores, ["cat", "dog"], 0.5, 0.4)
    assert [finding.label for finding in found] == ["cat", "dog"]


def test_the_background_and_the_unlikely_are_nothing() -> None:
    boxes = floats((0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9))
    assert detected(boxes, floats((0.9, 0.1), (0.8, 0.2)), LABELS, 0.5, 0.4) == ()


def test_boxes_stay_in_the_picture_and_empty_ones_are_dropped() -> None:
    boxes = floats((-0.2, -0.1, 0.5, 1.7), (0.5, 0.5, 0.5, 0.9), (1.2, 0.1, 1.5, 0.2))
    scores = floats((0.0, 0.9), (0.0, 0.9), (0.0, 0.9))
    (found,) = detected(boxes, scores, LABELS, 0.5, 0.4)
    assert found.region == Region(0.0, 0.0, 0.5, 1.0)


def test_a_detector_that_says_nothing_or_too_much_is_fine() -> None:
    nothing = np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32)
    assert detected(*nothing, LABELS, 0.5, 0.4) == ()
    corners = np.linspace(0.0, 0.9, 500, dtype=np.float32)
    boxes = np.stack([corners, corners, corners + 0.0001, corners + 0.0001], axis=1)
    assert len(detected(boxes, np.ones((500, 2), np.float32), LABELS, 0.5, 0.4)) == 100
