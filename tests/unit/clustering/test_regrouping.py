"""A run that names another algorithm, and what a shadow run reports."""

import sys

import numpy as np
import pytest

from libs.errors import FailedPrecondition
from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.params import Params
from services.clustering.domain.regrouping import group_anew, report_of, require, with_wishes
from services.clustering.domain.run import Algorithm, RunParams, RunReport
from tests.unit.clustering.algorithms.samples import themes

NOTHING = Previous({}, next_key=1)
SAMPLE = themes(6, 20, within=0.75, seed=6)
WANTED = {
    Algorithm.K_MEANS: RunParams(cluster_count=6),
    Algorithm.NEAREST: RunParams(threshold=0.6),
}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_algorithm_of_the_contract_groups(algorithm):
    wanted = WANTED.get(algorithm, RunParams())
    found = group_anew(algorithm, wanted, SAMPLE.ids, SAMPLE.vectors, NOTHING, Params())
    assert len(found.groups) == 6
    assert {item for each in found.groups for item in each.members} <= set(SAMPLE.ids)


def test_photos_join_nearest_groups_more_easily_than_texts():
    vectors = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    few = Params(min_size=2)
    for texts, groups in ((True, 0), (False, 1)):
        found = group_anew(
            Algorithm.NEAREST, RunParams(), ["a", "b"], vectors, NOTHING, few, texts=texts
        )
        assert len(found.groups) == groups


def test_wishes_stand_above_the_installation():
    wished = with_wishes(Params(), RunParams(granularity=0.3, min_size=9))
    assert (wished.granularity, wished.min_size) == (0.3, 9)
    assert with_wishes(Params(), RunParams(threshold=0.3)) == Params()


def test_a_group_needs_as_many_items_as_the_run_says():
    wanted = RunParams(min_size=21)
    found = group_anew(Algorithm.HDBSCAN, wanted, SAMPLE.ids, SAMPLE.vectors, NOTHING, Params())
    assert found.groups == ()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_without_scikit_learn_what_needs_it_says_so(algorithm, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    if algorithm in (Algorithm.HDBSCAN, Algorithm.DBSCAN, Algorithm.AGGLOMERATIVE):
        with pytest.raises(FailedPrecondition, match=r"colonnade\[algorithms\]") as refused:
            require(algorithm)
        assert refused.value.reason == "ALGORITHM_NOT_INSTALLED"
        assert refused.value.metadata == {"algorithm": algorithm}
    else:
        require(algorithm)


def test_a_report_tells_what_was_found_beside_what_is_there():
    found = group_anew(
        Algorithm.MIXTURE, RunParams(), SAMPLE.ids, SAMPLE.vectors, NOTHING, Params()
    )
    same = {each.key: each.members for each in found.groups}
    report = report_of(found, same, duration_millis=7)
    assert report == RunReport(
        items=120,
        clusters=6,
        unclustered_share=len(found.unclustered) / 120,
        agreement=1.0,
        cohesion=report.cohesion,
        sizes=tuple(len(each.members) for each in found.groups),
        duration_millis=7,
    )
    assert 0.8 < report.cohesion < 1.0
    assert report_of(found, {"all": SAMPLE.ids}, 7).agreement < 0.1


def test_a_report_of_nothing():
    found = group_anew(Algorithm.MIXTURE, RunParams(), [], np.empty((0, 4)), NOTHING, Params())
    assert report_of(found, {}, 0) == RunReport(agreement=1.0)
