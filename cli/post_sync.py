"""``colonnade posts sync``."""

from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Publication, RemoteCheck

from cli.names import persona_name
from cli.output import JsonOption, err, last_part, out, print_json, word
from cli.run import with_suite

_LONGEST = 60


def sync(persona: str, json: JsonOption = False) -> None:
    """Looks at the providers whether what went out in 30 days is there as it was sent."""
    parent = persona_name(persona)
    request = scheduler.SyncPostsRequest(parent=parent)
    with err.status("asking the providers"):
        found = with_suite(lambda suite: suite.scheduler.SyncPosts(request))
    if json:
        return print_json(found)
    for text in told(parent, found):
        out.print(text, markup=False, soft_wrap=True)
    return None


def told(parent: str, found: scheduler.SyncPostsResponse) -> list[str]:
    """A line for each difference, one for each channel that was not read, and the sum."""
    lines = [difference(publication) for publication in found.changed_publications]
    for unread in found.unread_channels:
        count = unread.publication_count
        lines.append(f"{last_part(unread.channel)}: {count} not looked at: {unread.reason}")
    changed = len(found.changed_publications)
    lines.append(
        f"{found.checked_count} looked at, {changed} changed since the last look, "
        f"{found.differing_count} not as they were sent"
    )
    if found.missing_count:
        lines.append(f"{found.missing_count} not found; they are looked for again in a minute")
    if found.differing_count:
        lines.append(f"see colonnade posts list {last_part(parent)} --drifted")
    if found.remaining_count:
        lines.append(f"{found.remaining_count} more; call again for them")
    return lines


def difference(publication: Publication) -> str:
    """What a look found otherwise than the one before, in one line."""
    post = publication.name.split("/")[3]
    state = word(Publication.State, publication.state)
    detail = publication.permalink or publication.error.message or publication.state_reason
    if publication.HasField("remote"):
        state, detail = drift(publication.remote), publication.permalink
    return f"{post} {last_part(publication.channel)}: {state} {detail}".rstrip()


def drift(remote: RemoteCheck) -> str:
    """How a post is at its provider."""
    if remote.state == RemoteCheck.STATE_EDITED:
        text = " ".join(remote.text.split())
        shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        return f"edited there: {shown}"
    if remote.state == RemoteCheck.STATE_REMOVED:
        return "not there any more"
    return "as it was sent again"
