"""What the filter and the order of ListCandidates may say."""

from libs.errors import InvalidArgument
from libs.rpc.filtering import Condition, parse_filter, parse_order
from services.catalog.domain.candidate import CandidateState


def candidate_conditions(text: str) -> list[Condition]:
    """Raises InvalidArgument on ``filter``."""
    conditions = parse_filter(text, {"state": "text"})
    for condition in conditions:
        if condition.value not in list(CandidateState):
            allowed = ", ".join(CandidateState)
            raise InvalidArgument.of("filter", f"state is one of {allowed}")
    return conditions


def candidate_order(text: str) -> str:
    """The field that is sorted by. Raises InvalidArgument on ``order_by``."""
    field, descending = parse_order(text, ("create_time", "score"), "create_time")
    if descending != (field == "score"):
        raise InvalidArgument.of("order_by", "is one of: create_time, score desc")
    return field
