"""What the repositories share: pages by key, and rows as domain objects."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import Approval, Post, PostState
from services.scheduler.domain.publication import Problem, Publication, PublicationState
from services.scheduler.domain.remote_check import Drift, RemoteCheck

T = TypeVar("T")
Fields = Mapping[str, Any]
Column = sa.ColumnElement[Any]


def compared(column: Column, condition: Condition) -> Column:
    """The condition, on ``column``, in SQL."""
    value = condition.value
    operators: dict[str, Callable[[], Any]] = {
        "=": lambda: column == value,
        "!=": lambda: column != value,
        "<": lambda: column < value,
        "<=": lambda: column <= value,
        ">": lambda: column > value,
        ">=": lambda: column >= value,
    }
    return cast(Column, operators[condition.op]())


def one_page(
    rows: sa.Select[Any],
    time: sa.Column[Any],
    id: sa.Column[Any],
    page: PageRequest,
    *,
    descending: bool,
) -> sa.Select[Any]:
    """``rows`` by ``time`` and ``id`` behind the page's key, and one more than its size."""
    if page.after is not None:
        moment, last = page.after
        edge = sa.tuple_(
            sa.literal(datetime.fromisoformat(str(moment)), time.type),
            sa.literal(str(last), id.type),
        )
        here = sa.tuple_(time, id)
        rows = rows.where(here < edge if descending else here > edge)
    order = (time.desc(), id.desc()) if descending else (time.asc(), id.asc())
    return rows.order_by(*order).limit(page.size + 1)


def as_page(found: Sequence[T], size: int, key: Callable[[T], tuple[datetime, str]]) -> Page[T]:
    """The page of what ``one_page`` gave."""
    if len(found) <= size:
        return Page(found)
    moment, id = key(found[size - 1])
    return Page(found[:size], (moment.isoformat(), id))


def to_post(row: Fields, publications: Sequence[Publication]) -> Post:
    """A post from its row."""
    return Post(
        persona=row["persona_id"],
        id=row["id"],
        photo=row["photo"],
        photo_sha256=row["photo_sha256"],
        pillar=row["pillar"],
        caption=row["caption"],
        hashtags=tuple(row["hashtags"]),
        final_text=row["final_text"],
        alt_text=row["alt_text"],
        scheduled_time=row["scheduled_time"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        publications=tuple(publications),
        state=PostState(row["state"]),
        state_reason=row["state_reason"],
        strategy=row["strategy"],
        slot_reason=row["slot_reason"],
        posted_time=row["posted_time"],
        media=to_snapshot(row),
        suggestion=row["suggestion"],
        campaign=row["campaign"],
        external_id=row["external_id"],
        approval=_approval(row),
        repeat_reason=row["repeat_reason"],
        repeats=row["repeats"],
        generation=row["generation"],
        version=row["version"],
    )


def _approval(row: Fields) -> Approval | None:
    if not row["approved_content"]:
        return None
    return Approval(row["approved_content"], row["approver"], row["approve_time"])


def approval_values(approval: Approval | None) -> dict[str, Any]:
    """An approval as the row of its post holds it."""
    return {
        "approved_content": approval.content if approval else "",
        "approver": approval.approver if approval else "",
        "approve_time": approval.time if approval else None,
    }


def to_snapshot(row: Fields) -> Snapshot | None:
    """The picture of a post, from the post's row."""
    if not row["media_key"]:
        return None
    return Snapshot(
        row["media_key"],
        row["media_sha256"],
        row["media_type"],
        row["media_bytes"],
        row["media_width"],
        row["media_height"],
    )


def to_remote_check(row: Fields, posted_at: datetime) -> RemoteCheck | None:
    """What is known of a publication at its provider, from a row that may be all null."""
    if row["publication_id"] is None:
        return None
    return RemoteCheck(
        publication=row["publication_id"],
        posted_at=posted_at,
        state=Drift(row["state"]),
        text=row["text"],
        checked_at=row["check_time"],
        changed_at=row["change_time"],
        missed_at=row["miss_time"],
        next_at=row["next_check_time"],
    )


def to_publication(row: Fields, remote: RemoteCheck | None = None) -> Publication:
    """A publication from its row."""
    return Publication(
        id=row["id"],
        persona=row["persona_id"],
        post=row["post_id"],
        channel=row["channel_id"],
        provider=row["provider"],
        photo_sha256=row["photo_sha256"],
        due_at=row["due_time"],
        media_token=row["media_token"],
        state=PublicationState(row["state"]),
        state_reason=row["state_reason"],
        next_attempt_at=row["next_attempt_time"],
        attempts=row["attempts"],
        tries=row["tries"],
        was_unknown=row["was_unknown"],
        retried_once=row["retried_once"],
        duplicate_refusal=row["duplicate_refusal"],
        provider_post_id=row["provider_post_id"],
        provider_state=row["provider_state"],
        permalink=row["permalink"],
        remote_due_at=row["remote_due_time"],
        submitted_at=row["submit_time"],
        posted_at=row["posted_time"],
        ended_at=row["end_time"],
        in_doubt=row["in_doubt"],
        problem=_problem(row),
        token=row["lease_token"],
        generation=row["generation"],
        remote=remote,
    )


def _problem(row: Fields) -> Problem | None:
    if not row["error_reason"]:
        return None
    return Problem(
        row["error_reason"],
        row["error_message"],
        row["error_retryable"],
        row["error_support_uri"],
    )


def publication_values(publication: Publication) -> dict[str, Any]:
    """What can change of a publication, as its row holds it."""
    problem = publication.problem or Problem("", "")
    return {
        "due_time": publication.due_at,
        "state": publication.state,
        "state_reason": publication.state_reason,
        "next_attempt_time": publication.next_attempt_at,
        "attempts": publication.attempts,
        "tries": publication.tries,
        "was_unknown": publication.was_unknown,
        "retried_once": publication.retried_once,
        "duplicate_refusal": publication.duplicate_refusal,
        "provider_post_id": publication.provider_post_id,
        "provider_state": publication.provider_state,
        "permalink": publication.permalink,
        "remote_due_time": publication.remote_due_at,
        "submit_time": publication.submitted_at,
        "posted_time": publication.posted_at,
        "end_time": publication.ended_at,
        "in_doubt": publication.in_doubt,
        "error_reason": problem.reason,
        "error_message": problem.message,
        "error_retryable": problem.retryable,
        "error_support_uri": problem.support_uri,
        "lease_token": publication.token,
    }
