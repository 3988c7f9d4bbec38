from datetime import timedelta

import pytest

from libs.errors import FailedPrecondition
from services.scheduler.domain.photo import Photo, Rights, check_rights
from tests.support.clock import NOON

SECOND = timedelta(seconds=1)


def photo(rights: Rights) -> Photo:
    return Photo("personas/nora/photos/1", "personas/nora/pillars/tea", "ab", rights=rights)


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
    check_rights(photo(rights), NOON)


@pytest.mark.parametrize(
    "rights",
    [Rights(held=True), Rights(embargo_time=NOON + SECOND), Rights(expire_time=NOON)],
)
def test_a_photo_may_not_go_out(rights: Rights) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        check_rights(photo(rights), NOON)
    assert caught.value.reason == "RIGHTS"
    assert caught.value.metadata == {"photo": "personas/nora/photos/1"}
