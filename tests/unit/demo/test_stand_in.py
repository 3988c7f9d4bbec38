"""The demo's look at the stand-in of Buffer."""

import pytest

from demo.stand_in import StandIn
from libs.errors import Unavailable
from tests.support.ports import free_port


def test_one_that_has_ended_is_told_in_words() -> None:
    with pytest.raises(Unavailable, match="the stand-in of Buffer does not answer"):
        StandIn(f"http://127.0.0.1:{free_port()}").posts("any")
