"""Which posts must never be sent again: in doubt, all of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.catalog.domain.photo import PostUse, Usage
from services.catalog.legacy.library import LegacyPost
from services.catalog.legacy.sent import Fate, fate_of, use_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(days=3), NOW + timedelta(days=3)


def post(status: str, **fields: Any) -> LegacyPost:
    return LegacyPost("1", status=status, **fields)


@pytest.mark.parametrize(
    ("given", "fate"),
    [
        (post("posted", posted_time=PAST), Fate.SENT),
        (post("published"), Fate.SENT),
        (post("failed", posted_time=PAST), Fate.SENT),
        (post("", posted_time=PAST), Fate.SENT),
        (post("posting"), Fate.PRESUMED_SENT),
        (post("scheduled", provider_post="b", scheduled_time=PAST), Fate.PRESUMED_SENT),
        (post("scheduled", provider_post="b"), Fate.PRESUMED_SENT),
        (post("failed", provider_post="b"), Fate.PRESUMED_SENT),
        (post("scheduled", provider_post="b", scheduled_time=FUTURE), Fate.HANDED_OVER),
        (post("scheduled", scheduled_time=FUTURE), Fate.UNSENT),
        (post("draft"), Fate.UNSENT),
        (post("failed"), Fate.UNSENT),
        (post("cancelled", provider_post="b"), Fate.CANCELLED),
    ],
)  # fmt: skip
def test_what_became_of_a_post(given: LegacyPost, fate: Fate) -> None:
    assert fate_of(given, NOW) is fate
    use = use_of(given, NOW)
    usages = {
        Fate.SENT: Usage.POSTED,
        Fate.PRESUMED_SENT: Usage.POSTED,
        Fate.HANDED_OVER: Usage.SCHEDULED,
    }
    assert (use.usage if use else None) == usages.get(fate)


def test_a_sent_post_has_a_time_even_if_nobody_noted_it() -> None:
    assert use_of(post("posted"), NOW) == PostUse("POSTED", NOW)
    assert use_of(post("posted", scheduled_time=PAST), NOW) == PostUse("POSTED", PAST)
