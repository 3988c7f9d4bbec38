"""What ``posts sync`` tells."""

from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Publication, RemoteCheck

from cli.post_sync import difference, told

POST = "personas/nora/posts/01a200c5"


def publication(**fields: object) -> Publication:
    values = {
        "name": f"{POST}/publications/1",
        "channel": "personas/nora/channels/masto",
        "state": Publication.STATE_POSTED,
        "permalink": "https://m.example/@nora/1",
        **fields,
    }
    return Publication(**values)  # type: ignore[arg-type]


def test_a_look_without_news_is_one_line() -> None:
    answer = pb.SyncPostsResponse(checked_count=3)
    assert told("personas/nora", answer) == [
        "3 looked at, 0 changed since the last look, 0 not as they were sent"
    ]


def test_each_difference_is_one_line() -> None:
    edited = RemoteCheck(state=RemoteCheck.STATE_EDITED, text="Dark\n\n#tea " + "x" * 60)
    [line] = difference(publication(remote=edited)).splitlines()
    text = "Dark #tea " + "x" * 49 + "…"
    assert line == f"01a200c5 masto: edited there: {text} https://m.example/@nora/1"
    removed = RemoteCheck(state=RemoteCheck.STATE_REMOVED)
    assert "masto: not there any more" in difference(publication(remote=removed))
    back = RemoteCheck(state=RemoteCheck.STATE_UNCHANGED)
    assert "masto: as it was sent again" in difference(publication(remote=back))


def test_what_waited_there_shows_its_state() -> None:
    gone = publication(
        state=Publication.STATE_NEEDS_REVIEW, permalink="", state_reason="look for it there"
    )
    assert difference(gone) == "01a200c5 masto: needs review look for it there"


def test_what_could_not_be_looked_at_is_told() -> None:
    answer = pb.SyncPostsResponse(
        checked_count=2,
        differing_count=1,
        missing_count=1,
        remaining_count=7,
        unread_channels=[
            pb.UnreadChannel(
                channel="personas/nora/channels/hook", publication_count=4, reason="cannot be asked"
            )
        ],
    )
    assert told("personas/nora", answer) == [
        "hook: 4 not looked at: cannot be asked",
        "2 looked at, 0 changed since the last look, 1 not as they were sent",
        "1 not found; they are looked for again in a minute",
        "see colonnade posts list nora --drifted",
        "7 more; call again for them",
    ]
