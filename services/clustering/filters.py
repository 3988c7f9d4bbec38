"""What the filter of ListClusters may say."""

from collections.abc import Mapping
from dataclasses import replace

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition, Kind, parse_filter
from services.clustering.domain.cluster import ClusterState, Origin
from services.clustering.domain.pillars import PILLAR

_FIELDS: Mapping[str, Kind] = {"state": "text", "origin": "text", "pillar": "text"}
_VALUES: Mapping[str, type[ClusterState] | type[Origin]] = {
    "state": ClusterState,
    "origin": Origin,
}


def cluster_conditions(text: str) -> list[Condition]:
    """The conditions of a filter, values as they are kept. Raises InvalidArgument on ``filter``."""
    return [_checked(condition) for condition in parse_filter(text, _FIELDS)]


def _checked(condition: Condition) -> Condition:
    values = _VALUES.get(condition.field)
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
