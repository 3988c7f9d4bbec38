"""What can be imported, and what is said of what cannot."""

from pathlib import Path

import pytest
from obstore.store import S3Store

from cli.buckets import stored_objects
from cli.sources import source_of
from libs.errors import InvalidArgument
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; name a folder"),
        (" ", "is empty; name a folder"),
        ("nowhere/photos", "there is no nowhere/photos; name a folder"),
        ("photo.jpg", "photo.jpg is not a folder"),
    ],
)
def test_what_is_no_source_is_told(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty name, as of a variable that is not set, is not the folder one happens to be in."""
    (tmp_path / "photo.jpg").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument) as raised:
        source_of(text)
    (violation,) = raised.value.violations
    assert violation.field == "source"
    assert violation.description.startswith(said)


def test_a_bucket_that_does_not_answer_is_not_taken_for_the_suite() -> None:
    bucket = S3Store(
        "photos",
        endpoint=f"http://127.0.0.1:{free_port()}",
        client_options={"allow_http": True},
        skip_signature=True,
        retry_config={"max_retries": 0},
    )
    with pytest.raises(InvalidArgument) as raised:
        list(stored_objects(bucket))
    (violation,) = raised.value.violations
    assert violation.field == "source"
    assert violation.description.startswith("the bucket does not answer")
