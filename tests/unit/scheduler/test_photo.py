from datetime import timedelta

import pytest

from libs.errors import FailedPrecondition
from services.scheduler.domain.photo import Rights, check_rights
from tests.support.clock import NOON

SECOND = timedelta(seconds=1)
NAME = "personas/nora/photos/1"


@pytest.mark.parametrize(
    "rights",
    [
        Rights(),
        Rights(embargo_time=NOON),
        Rights(expire_time=NOON + SECOND),
        Rights(embargo_time=NOON - SECOND, expire_time=NOON + SECOND),
    ],
)
def test_a_photo_may_go_out(rights: Rights) -> None:
    check_rights(NAME, rights, NOON)


@pytest.mark.parametrize(
    ("rights", "rule", "time"),
    [
        (Rights(held=True), "HELD", None),
        (Rights(archived=True, held=True), "ARCHIVED", None),
        (Rights(deleted=True, archived=True), "DELETED", None),
        (Rights(embargo_time=NOON + SECOND), "EMBARGO", NOON + SECOND),
        (Rights(expire_time=NOON), "EXPIRED", NOON),
    ],
)
def test_a_photo_may_not_go_out(rights: Rights, rule: str, time: object) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        check_rights(NAME, rights, NOON)
    assert caught.value.reason == "RIGHTS"
    told = {} if time is None else {"time": str(time).replace(" ", "T")}
    assert caught.value.metadata == {"photo": NAME, "rule": rule, **told}
