import base64

import pytest

from services.scheduler.providers.webhook_signature import secrets_of, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_standard_s_own_example() -> None:
    signed = signature(
        secrets_of(SECRET),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_make_two_signatures() -> None:
    other = "whsec_" + base64.b64encode(b"x" * 64).decode()
    both = signature(secrets_of(f"{other} {SECRET}"), "a", 1, b"{}")
    assert both.split(" ") == [
        signature(secrets_of(other), "a", 1, b"{}"),
        signature(secrets_of(SECRET), "a", 1, b"{}"),
    ]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_not base64 at all",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
    ],
)
def test_what_is_no_secret_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="the key"):
        secrets_of(token)
