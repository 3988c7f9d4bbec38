"""Ideas for what to make next, and the batches in which they are written."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from libs.errors import FailedPrecondition, InvalidArgument, Violation
from services.catalog.domain.gaps import GapReport, PillarGap
from services.catalog.domain.names import (
    CAMPAIGN,
    GAP_REPORT,
    PHOTO,
    PILLAR,
    RUN,
    SUGGESTION,
    SUGGESTION_BATCH,
    Key,
    pillar_key,
)
from services.catalog.domain.photo import without_repeats

DEFAULT_COUNT = 5
MAX_NEAREST = 5


class SuggestionState(StrEnum):
    """What became of a suggestion."""

    PENDING = "PENDING"
    USED = "USED"
    REJECTED = "REJECTED"
    NEEDS_MANUAL = "NEEDS_MANUAL"


UNDECIDED = (SuggestionState.PENDING, SuggestionState.NEEDS_MANUAL)


class BatchState(StrEnum):
    """Where a batch stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


ENDED = (BatchState.SUCCEEDED, BatchState.FAILED)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a picture should be: a title of two to five words, what it shows, and the prompt."""

    title: str
    description: str
    prompt: str
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An idea for what to make next in a pillar.

    ``gap`` is how many photos the pillar lacked when it was written. ``nearest`` are ids of photos.
    ``inputs`` is all that its writer was told. ``run`` is the id of the run that was created from
    it, and read only: the run holds the link. Ids that do not apply are empty.
    """

    persona: str
    id: str
    pillar: str
    brief: Brief
    create_time: datetime
    update_time: datetime
    source: str
    batch: str = ""
    gap_report: str = ""
    campaign: str = ""
    reason: str = ""
    gap: float = 0.0
    rank: int = 0
    nearest: tuple[str, ...] = ()
    state: SuggestionState = SuggestionState.PENDING
    reject_reason: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    run: str = ""
    version: int = 1

    @property
    def key(self) -> Key:
        """Its persona's id and its own."""
        return Key(self.persona, self.id)

    @property
    def name(self) -> str:
        """The resource name."""
        return SUGGESTION.format(self.persona, self.id)

    @property
    def pillar_name(self) -> str:
        """The resource name of its pillar."""
        return PILLAR.format(self.persona, self.pillar)

    @property
    def nearest_names(self) -> list[str]:
        """The resource names of the photos that come nearest to it."""
        return [PHOTO.format(self.persona, photo) for photo in self.nearest]

    @property
    def batch_name(self) -> str:
        """The resource name of its batch; empty without one."""
        return SUGGESTION_BATCH.format(self.persona, self.batch) if self.batch else ""

    @property
    def gap_report_name(self) -> str:
        """The resource name of the gap report it came from; empty without one."""
        return GAP_REPORT.format(self.persona, self.gap_report) if self.gap_report else ""

    @property
    def campaign_name(self) -> str:
        """The resource name of the campaign it came with; empty without one."""
        return CAMPAIGN.format(self.persona, self.campaign) if self.campaign else ""

    @property
    def run_name(self) -> str:
        """The resource name of the run that was created from it; empty without one."""
        return RUN.format(self.persona, self.run) if self.run else ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong: a reason as errors carry it, and a sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One request for suggestions. ``pillars`` are ids; none: those that the report recommends."""

    persona: str
    id: str
    create_time: datetime
    gap_report: str
    count: int = DEFAULT_COUNT
    pillars: tuple[str, ...] = ()
    state: BatchState = BatchState.QUEUED
    written: int = 0
    exhausted: bool = False
    trouble: Trouble | None = None
    attempt: int = 0
    end_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return SUGGESTION_BATCH.format(self.persona, self.id)

    @property
    def gap_report_name(self) -> str:
        """The resource name of the gap report it works from."""
        return GAP_REPORT.format(self.persona, self.gap_report)

    @property
    def pillar_names(self) -> list[str]:
        """The resource names of its pillars."""
        return [PILLAR.format(self.persona, pillar) for pillar in self.pillars]

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


def ranking(report: GapReport, pillars: Sequence[str], count: int) -> list[PillarGap]:
    """Whom each of ``count`` suggestions is for, first to last.

    Each goes to the pillar of the largest gap, which then counts as one photo smaller; ties go to
    whoever comes first in the report. ``pillars`` are ids; none: those that the report recommends.
    Fewer than ``count`` only if no pillar is left, as when all are covered and none is named.
    """
    advised = {advice.pillar for advice in report.recommendations}
    wanted = {PILLAR.format(report.persona, id) for id in pillars} or advised
    gaps = [gap for gap in report.pillars if gap.pillar in wanted]
    left = [gap.gap for gap in gaps]
    order: list[PillarGap] = []
    while gaps and len(order) < count:
        first = max(range(len(gaps)), key=lambda index: (left[index], -index))
        order.append(gaps[first])
        left[first] -= 1
    return order


def pillar_id(gap: PillarGap) -> str:
    """The id of the pillar that a gap is of."""
    return pillar_key(gap.pillar).id


def checked_brief(brief: Brief, prefix: str = "suggestion") -> Brief:
    """``brief`` in the form in which it is kept. Raises InvalidArgument naming every field."""
    brief = replace(
        brief,
        title=brief.title.strip(),
        description=brief.description.strip(),
        prompt=brief.prompt.strip(),
        keywords=without_repeats(word.strip() for word in brief.keywords if word.strip()),
    )
    empty = [name for name in ("title", "prompt") if not getattr(brief, name)]
    if empty:
        wrong = [Violation(f"{prefix}.{name}", "must not be empty") for name in empty]
        raise InvalidArgument("; ".join(f"{v.field}: {v.description}" for v in wrong), wrong)
    return brief


def check_undecided(suggestion: Suggestion) -> None:
    """Raises FailedPrecondition (SUGGESTION_DECIDED) if it was used or turned down."""
    if suggestion.state not in UNDECIDED:
        what = "used" if suggestion.state is SuggestionState.USED else "turned down"
        raise FailedPrecondition(
            f"{suggestion.name} was {what} already",
            reason="SUGGESTION_DECIDED",
            metadata={"suggestion": suggestion.name, "state": suggestion.state},
        )


def check_complete(suggestion: Suggestion) -> None:
    """Raises FailedPrecondition (SUGGESTION_INCOMPLETE) if there is no prompt to work from."""
    if not suggestion.brief.prompt:
        raise FailedPrecondition(
            f"{suggestion.name} has no prompt; write one first",
            reason="SUGGESTION_INCOMPLETE",
            metadata={"suggestion": suggestion.name},
        )


def check_rejected(suggestion: Suggestion) -> None:
    """Raises FailedPrecondition (SUGGESTION_NOT_REJECTED) unless it was turned down."""
    if suggestion.state is not SuggestionState.REJECTED:
        raise FailedPrecondition(
            f"{suggestion.name} was not turned down; only what was can be deleted",
            reason="SUGGESTION_NOT_REJECTED",
            metadata={"suggestion": suggestion.name, "state": suggestion.state},
        )


def used(suggestion: Suggestion, run: str) -> Suggestion:
    """``suggestion`` once ``run`` was created from it."""
    return replace(suggestion, state=SuggestionState.USED, run=run)


def rejected(suggestion: Suggestion, reason: str) -> Suggestion:
    """``suggestion`` once it was turned down."""
    return replace(suggestion, state=SuggestionState.REJECTED, reject_reason=reason.strip())


def edited(suggestion: Suggestion, brief: Brief) -> Suggestion:
    """``suggestion`` as a person wrote it, which makes it whole."""
    return replace(suggestion, brief=checked_brief(brief), state=SuggestionState.PENDING)


def reason_of(report: GapReport, gap: PillarGap, before: int, lacks: Sequence[str]) -> str:
    """Why there is a suggestion for a pillar, naming the deficit, then what its photos lack.

    ``before`` suggestions of the same batch would fill it already.
    """
    advice = {advice.pillar: advice.explanation for advice in report.recommendations}
    deficit = advice.get(gap.pillar) or (
        f"{gap.display_name} is covered: it has {gap.supply.usable} to use and needs {gap.needed} "
        f"for the next {report.horizon_days} days; it was asked for by name."
    )
    beyond = [f"{before} before this one fill the gap already."] if 0 < gap.gap <= before else []
    return " ".join((deficit, *beyond, *lacks))
