"""What the filters of lists may say."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition, Kind, parse_filter, parse_order
from services.clustering.domain.cluster import ClusterState, Order, Origin
from services.clustering.domain.pillars import PILLAR
from services.clustering.domain.run import RunState, Trigger

_Values = Mapping[str, type[StrEnum]]
_CLUSTER_FIELDS: Mapping[str, Kind] = {"state": "text", "origin": "text", "pillar": "text"}
_CLUSTER_VALUES: _Values = {"state": ClusterState, "origin": Origin}
_ORDERS: Mapping[str, Order] = {"member_count": Order.SIZE, "update_time": Order.RECENT}
_RUN_FIELDS: Mapping[str, Kind] = {"state": "text", "trigger": "text"}
_RUN_VALUES: _Values = {"state": RunState, "trigger": Trigger}


def cluster_conditions(text: str) -> list[Condition]:
    """The conditions of a filter, values as they are kept. Raises InvalidArgument on ``filter``."""
    return [_checked(c, _CLUSTER_VALUES) for c in parse_filter(text, _CLUSTER_FIELDS)]


def cluster_order(text: str) -> Order:
    """The order of ListClusters. Raises InvalidArgument on ``order_by``."""
    field, descending = parse_order(text, [*_ORDERS], "member_count desc")
    if not descending:
        raise InvalidArgument.of("order_by", "is one of: member_count desc, update_time desc")
    return _ORDERS[field]


def run_conditions(text: str) -> list[Condition]:
    """The same for ListClusteringRuns."""
    return [_checked(c, _RUN_VALUES) for c in parse_filter(text, _RUN_FIELDS)]


def _checked(condition: Condition, enums: _Values) -> Condition:
    values = enums.get(condition.field)
    if values is None:
        PILLAR.parse(str(condition.value), "filter")
        return condition
    kept = {value.upper(): value for value in values}
    if condition.value not in kept:
        raise InvalidArgument.of(
            "filter",
            f"{condition.field} is one of {', '.join(kept)}, not {condition.value!r}",
        )
    return replace(condition, value=kept[str(condition.value)].value)
