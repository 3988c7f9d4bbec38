"""What a benchmark found, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement beside its bare limit; ``goal`` is the least ratio aimed for."""

    what: str
    ours: float
    bare: float
    unit: str
    bare_is: str
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Ours against bare."""
        return self.ours / self.bare if self.bare else 0.0


@dataclass(frozen=True, slots=True)
class Fact:
    """One measurement with a limit of its own instead of a rival."""

    what: str
    value: str
    goal: str


def markdown(rows: Sequence[Row], facts: Sequence[Fact]) -> str:
    """Both as tables."""
    lines = []
    if rows:
        lines += [
            "| what | ours | bare | ratio | goal | bare is |",
            "|---|--:|--:|--:|--:|---|",
        ]
    lines += [_row(row) for row in rows]
    if rows and facts:
        lines.append("")
    if facts:
        lines += ["| what | measured | goal |", "|---|--:|--:|"]
    lines += [f"| {fact.what} | {fact.value} | {fact.goal} |" for fact in facts]
    return "\n".join(lines)


def _row(row: Row) -> str:
    goal = f"≥ {row.goal}" if row.goal is not None else ""
    numbers = f"{_number(row.ours)} {row.unit} | {_number(row.bare)} {row.unit}"
    return f"| {row.what} | {numbers} | **{row.ratio:.2f}** | {goal} | {row.bare_is} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def paired(ours: Sequence[float], bare: Sequence[float]) -> tuple[float, float]:
    """The pair of rates whose ratio is the median of all pairs, measured in turn A B A B …"""
    pairs = sorted(zip(ours, bare, strict=True), key=lambda pair: pair[0] / pair[1])
    middle = median(range(len(pairs)))
    return pairs[int(middle)]
