"""The table of modules, as data."""

import pytest

from libs.app import closure, resolve
from services.settings import GRPC_PORTS, HTTP_PORTS
from services.targets import MODULES, TARGETS

SERVICES = ("catalog", "embedding", "clustering", "scheduler")


@pytest.mark.parametrize("name", [name for name, module in MODULES.items() if module.open])
def test_every_module_names_a_function_that_exists(name: str) -> None:
    opener = MODULES[name].open
    assert opener is not None
    assert callable(resolve(opener))


def test_targets_are_what_people_choose() -> None:
    assert set(TARGETS) == {*SERVICES, "worker", "relay", "gateway", "all", "migrate"}


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "migrate"])
def test_every_target_can_be_ordered_and_tells_its_health(target: str) -> None:
    names = [module.name for module in closure(MODULES, target)]
    assert names[-1] == target
    assert len(names) == len(set(names))
    assert "telemetry-http" in names


def test_all_has_every_other_target_and_every_part_is_used() -> None:
    names = {module.name for module in closure(MODULES, "all")}
    assert names == set(MODULES)


def test_every_service_has_its_jobs_where_the_worker_is() -> None:
    jobs = {name for name in MODULES if name.endswith("-jobs")}
    assert {f"{service}-jobs" for service in ("catalog", "clustering", "scheduler")} == jobs
    assert jobs <= {module.name for module in closure(MODULES, "worker")}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_alone_runs_no_other_service_and_no_jobs(service: str) -> None:
    names = {module.name for module in closure(MODULES, service)}
    assert names.isdisjoint({*SERVICES, "worker", "relay", "gateway"} - {service})
    assert not [name for name in names if name.endswith("-jobs")]


def test_ports_are_those_of_targets_and_differ() -> None:
    assert set(GRPC_PORTS) | set(HTTP_PORTS) <= set(TARGETS)
    assert len({GRPC_PORTS[service] for service in SERVICES}) == len(SERVICES)
