import json

import httpx
import pytest

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.instagram_answers import failure_of, failure_of_container

K = FailureKind


def answer(code: object, subcode: int | None = None, status: int = 400, **fields: object):
    error = {"code": code, "message": "m", "error_subcode": subcode, **fields}
    return httpx.Response(status, json={"error": error})


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        (190, None, K.AUTH),
        (25, 2207050, K.AUTH),
        (100, 33, K.NOT_SENT),
        (4, None, K.THROTTLED),
        (17, None, K.THROTTLED),
        (32, None, K.THROTTLED),
        (613, None, K.THROTTLED),
        (80002, None, K.THROTTLED),
        (9, 2207042, K.THROTTLED),
        (4, 2207051, K.UNKNOWN),
        (-1, 2207001, K.UNKNOWN),
        (-1, 2207032, K.UNKNOWN),
        (-2, 2207003, K.NOT_SENT),
        (-2, 2207020, K.NOT_SENT),
        (9004, 2207052, K.NOT_SENT),
        (9007, 2207027, K.NOT_READY),
        (36000, 2207004, K.PERMANENT),
        (36003, 2207009, K.PERMANENT),
        (100, None, K.PERMANENT),
    ],
)
def test_the_classes_of_errors(code: int, subcode: int | None, kind: FailureKind) -> None:
    failure = failure_of(answer(code, subcode))
    assert failure is not None
    assert failure.kind is kind


def test_what_is_transient_or_not_understood_is_unknown() -> None:
    for response in (
        answer(2, is_transient=True),
        httpx.Response(502, text="<h1>Bad gateway</h1>"),
        httpx.Response(200, text="<h1>Welcome</h1>"),
    ):
        failure = failure_of(response)
        assert failure is not None
        assert failure.kind is K.UNKNOWN


def test_the_wait_is_what_the_usage_tells() -> None:
    usage = {"1": [{"estimated_time_to_regain_access": 5}, {"estimated_time_to_regain_access": 2}]}
    response = answer(80002)
    response.headers["x-business-use-case-usage"] = json.dumps(usage)
    failure = failure_of(response)
    assert failure is not None
    assert failure.retry_after == 300
    response.headers["x-business-use-case-usage"] = "no json"
    failure = failure_of(response)
    assert failure is not None
    assert failure.retry_after is None


def test_a_container_that_failed_is_made_again_unless_the_picture_is_wrong() -> None:
    assert failure_of_container("Error: could not be fetched: 2207052")[0] is K.NOT_SENT
    assert failure_of_container("Error: the ratio is wrong: 2207009")[0] is K.PERMANENT
    assert failure_of_container("")[0] is K.NOT_SENT


@pytest.mark.parametrize(("code", "kind"), [("190", K.AUTH), ("many", K.PERMANENT)])
def test_a_code_need_not_be_a_number(code: str, kind: FailureKind) -> None:
    failure = failure_of(answer(code))
    assert failure is not None
    assert failure.kind is kind
