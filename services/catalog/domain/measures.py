"""What is measured on a photo. Each measure stands or fails alone."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from libs.errors import InvalidArgument

MEASURED = ("sharpness", "exposure", "resolution", "colourfulness")
"""What is measured on every photo."""

CAPTION = "caption"
"""What a vision language model says it sees, where one is configured: a text, not a number."""

KNOWN = (*MEASURED, CAPTION)


class MeasureState(StrEnum):
    """Where one measurement stands. SKIPPED: there is nothing here to measure it with."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured property of a photo.

    ``value`` is 0..1, higher is better; None for one that is not measured, or that is a ``text``.
    """

    id: str
    value: float | None = None
    state: MeasureState = MeasureState.READY
    text: str = ""
    error_reason: str = ""
    error_message: str = ""

    @classmethod
    def pending(cls, id: str) -> "Measure":
        """One that is still to be made."""
        return cls(id, state=MeasureState.PENDING)

    @classmethod
    def skipped(cls, id: str) -> "Measure":
        """One that nothing here can make."""
        return cls(id, state=MeasureState.SKIPPED)

    @classmethod
    def failed(cls, id: str, reason: str, message: str) -> "Measure":
        """One that could not be made, and why."""
        return cls(id, state=MeasureState.FAILED, error_reason=reason, error_message=message)


Measures = tuple[Measure, ...]


def completed(measures: Iterable[Measure]) -> Measures:
    """The measures in their order, and those that nobody has thought of yet.

    A photo that came in before something was measured lacks it: it is pending.
    """
    known = {measure.id: measure for measure in measures}
    return tuple(known.get(id) or _lacking(id) for id in KNOWN)


def replaced(measures: Measures, news: Iterable[Measure]) -> Measures:
    """The measures with those of ``news`` that were pending."""
    new = {measure.id: measure for measure in news}
    return tuple(new.get(m.id, m) if m.state is MeasureState.PENDING else m for m in measures)


def to_repeat(measures: Measures, wanted: Collection[str]) -> Measures:
    """The measures with those of ``wanted`` pending again; those that failed if it is empty."""
    return tuple(
        Measure.pending(m.id)
        if (m.id in wanted if wanted else m.state is MeasureState.FAILED)
        else m
        for m in measures
    )


def pending(measures: Measures) -> tuple[str, ...]:
    """The ids of those that are still to be made."""
    return tuple(m.id for m in measures if m.state is MeasureState.PENDING)


def check_known(ids: Iterable[str]) -> None:
    """Raises InvalidArgument on ``measures`` for one that does not exist."""
    unknown = [id for id in ids if id not in KNOWN]
    if unknown:
        raise InvalidArgument.of(
            "measures", f"there is no measure {unknown[0]!r}; there are: {', '.join(KNOWN)}"
        )


def _lacking(id: str) -> Measure:
    return Measure.skipped(id) if id == CAPTION else Measure.pending(id)
