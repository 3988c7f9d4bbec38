from dataclasses import replace

import numpy as np
import pytest
from colonnade.clustering.v1 import cluster_pb2
from colonnade.clustering.v1.clustering_run_pb2 import (
    ClusteringFilter,
    ClusteringParams,
    ClusteringRun,
)
from colonnade.type.v1.job_pb2 import JobState
from colonnade.type.v1.vector_pb2 import Vector

from libs.errors import InvalidArgument
from libs.rpc.status import from_status
from services.clustering import convert
from services.clustering.domain.cluster import Cluster, ClusterState, Hero, HeroPart, Origin
from services.clustering.domain.run import (
    Algorithm,
    Mode,
    Run,
    RunFilter,
    RunParams,
    RunReport,
    RunState,
    Stats,
    Trigger,
)
from tests.support.clock import NOON

RUN = Run("id", "personas/nora", Mode.REFIT, NOON, done=3, total=7, phase="fit", attempt=2)
CLUSTER = Cluster(
    "c1", "personas/nora", "g1", "Shoes", NOON, NOON, row_version=3, version=2, since=2
)


@pytest.mark.parametrize("state", RunState)
def test_every_state_of_a_run_has_its_name_in_the_contract(state: RunState) -> None:
    message = convert.run_message(replace(RUN, state=state))
    assert JobState.Name(message.state) == f"JOB_STATE_{state.name}"


def test_a_run_shows_what_is_known_of_it() -> None:
    message = convert.run_message(RUN)
    assert message.name == "personas/nora/clusteringRuns/id"
    assert message.mode == ClusteringRun.MODE_REFIT
    assert (message.progress.done, message.progress.total, message.progress.phase) == (3, 7, "fit")
    assert message.attempt == 2
    assert not message.HasField("stats") and not message.HasField("error")
    assert not message.HasField("start_time") and not message.HasField("end_time")


def test_only_success_has_statistics() -> None:
    done = replace(RUN, state=RunState.SUCCEEDED, stats=Stats(items=5, noop=True), version=0)
    message = convert.run_message(done)
    assert message.stats.items == 5 and message.stats.noop
    assert not convert.run_message(replace(done, state=RunState.FAILED)).HasField("stats")


def test_only_failure_has_an_error_with_its_reason() -> None:
    failed = replace(RUN, state=RunState.FAILED, error_reason="WORKER_LOST", error_message="gone")
    error = from_status(convert.run_message(failed).error)
    assert (error.reason, error.message) == ("WORKER_LOST", "gone")
    assert not convert.run_message(replace(failed, state=RunState.QUEUED)).HasField("error")


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        (ClusteringRun.MODE_UNSPECIFIED, Mode.AUTO),
        (ClusteringRun.MODE_AUTO, Mode.AUTO),
        (ClusteringRun.MODE_REFIT, Mode.REFIT),
    ],
)
def test_the_mode_that_is_asked_for(asked: ClusteringRun.Mode.ValueType, mode: Mode) -> None:
    assert convert.wanted_run(ClusteringRun(mode=asked), "personas/nora", NOON).mode is mode


def test_what_a_run_is_asked_for_is_shown_as_it_was_asked() -> None:
    asked = ClusteringRun(
        mode=ClusteringRun.MODE_REFIT,
        algorithm=ClusteringRun.ALGORITHM_NEAREST,
        params=ClusteringParams(min_size=3, threshold=0.0),
        filter=ClusteringFilter(sources=["slack", "mail"], since_time=convert.timestamp(NOON)),
        shadow=True,
    )
    wanted = convert.wanted_run(asked, "projects/radar", NOON)
    assert wanted.params == RunParams(min_size=3, threshold=0.0)
    assert wanted.filter == RunFilter(("slack", "mail"), NOON)
    shown = convert.run_message(wanted)
    assert shown.trigger == ClusteringRun.TRIGGER_DEMAND
    for field in ("mode", "algorithm", "params", "filter", "shadow"):
        assert getattr(shown, field) == getattr(asked, field)


def test_a_run_that_asks_for_nothing_in_particular_shows_no_wishes() -> None:
    wanted = convert.wanted_run(ClusteringRun(), "personas/nora", NOON)
    assert not wanted.refits
    shown = convert.run_message(wanted)
    assert shown.algorithm == ClusteringRun.ALGORITHM_MIXTURE
    assert not shown.HasField("params") and not shown.HasField("filter")


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("trigger", Trigger)
def test_algorithms_and_triggers_have_their_names(algorithm: Algorithm, trigger: Trigger) -> None:
    message = convert.run_message(replace(RUN, algorithm=algorithm, trigger=trigger))
    assert ClusteringRun.Algorithm.Name(message.algorithm) == f"ALGORITHM_{algorithm.name}"
    assert ClusteringRun.Trigger.Name(message.trigger) == f"TRIGGER_{trigger.name}"


def test_a_shadow_run_shows_its_report_in_place_of_statistics() -> None:
    report = RunReport(items=9, clusters=2, agreement=0.5, sizes=(5, 3))
    done = replace(RUN, state=RunState.SUCCEEDED, shadow=True, report=report)
    message = convert.run_message(done)
    assert not message.HasField("stats")
    assert (message.report.items, list(message.report.sizes)) == (9, [5, 3])


@pytest.mark.parametrize("state", ClusterState)
@pytest.mark.parametrize("origin", Origin)
def test_states_and_origins_have_their_names(state: ClusterState, origin: Origin) -> None:
    message = convert.cluster_message(replace(CLUSTER, state=state, origin=origin))
    assert cluster_pb2.Cluster.State.Name(message.state) == f"STATE_{state.name}"
    assert cluster_pb2.Cluster.Origin.Name(message.origin) == f"ORIGIN_{origin.name}"


def test_a_cluster_names_its_hero_and_its_successor() -> None:
    hero = Hero("personas/nora/photos/p", 0.8, (HeroPart("quality", 0.5, 1.0),))
    message = convert.cluster_message(replace(CLUSTER, hero=hero, merged_into="c2"))
    assert message.hero.item == hero.item
    assert [(part.id, part.value, part.weight) for part in message.hero.parts] == [
        ("quality", 0.5, 1.0)
    ]
    assert message.merged_into == "personas/nora/clusters/c2"
    assert not convert.cluster_message(CLUSTER).HasField("hero")


def test_the_etag_changes_with_the_row_and_with_the_version() -> None:
    tags = {
        convert.cluster_message(cluster).etag
        for cluster in (CLUSTER, replace(CLUSTER, row_version=4), replace(CLUSTER, since=3))
    }
    assert len(tags) == 3


def test_a_vector_is_little_endian() -> None:
    vector = convert.vector_of(Vector(dimension=2, data=b"\0\0\x80\x3f\0\0\0\xc0"))
    assert vector.tolist() == [1.0, -2.0] and vector.dtype == np.float32


def test_a_vector_of_too_few_bytes() -> None:
    with pytest.raises(InvalidArgument, match=r"vector\.data"):
        convert.vector_of(Vector(dimension=3, data=b"\0" * 8))
