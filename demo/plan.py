"""What the demo sets up: a persona, three pillars, and which folder goes to which."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.walk import Found, walk

# How many files of each top folder show what its pillar is like.
EXAMPLES = 8


@dataclass(frozen=True, slots=True)
class PillarPlan:
    """A pillar and the top folders whose photos go into it."""

    id: str
    display_name: str
    weight: int
    description: str
    posts_per_week: int
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a demo makes of one folder of photos."""

    persona_id: str
    persona_name: str
    time_zone: str
    voice: str
    folder: Path
    pillars: Sequence[PillarPlan]


@dataclass(frozen=True, slots=True)
class Division:
    """Files that are imported as ``examples`` of pillars, by the pillars' ids, and the ``rest``.

    The rest comes without a pillar and is filed by what it shows.
    """

    examples: dict[str, list[Found]]
    rest: list[Found]


SAMPLE_PILLARS = (
    PillarPlan(
        "slow-mornings",
        "Slow mornings",
        45,
        "Coffee, flowers, soft light; the first quiet hour of a day.",
        4,
        ("coffee", "flowers"),
    ),
    PillarPlan(
        "out-there",
        "Out there",
        35,
        "Streets, shores and hills; reasons to leave the house.",
        3,
        ("city", "sea", "mountains"),
    ),
    PillarPlan(
        "worn-well", "Worn well", 20, "Clothes and cloth with a long life ahead.", 5, ("clothes",)
    ),
)


def sample_plan(folder: Path) -> Plan:
    """The plan for the library that the demo draws."""
    return Plan(
        "mila",
        "Mila Sand",
        "Europe/Lisbon",
        "Warm, unhurried, a little dry. Speaks of small things as if they mattered.",
        folder,
        SAMPLE_PILLARS,
    )


def plan_for(folder: Path) -> Plan:
    """A plan for any folder: its top folders are spread over three pillars, largest first."""
    sizes: dict[str, int] = {}
    for found in walk(folder):
        sizes[top_folder(found)] = sizes.get(top_folder(found), 0) + 1
    shares: list[list[str]] = [[], [], []]
    totals = [0, 0, 0]
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        smallest = totals.index(min(totals))
        shares[smallest].append(name)
        totals[smallest] += sizes[name]
    names = (
        ("first", "First theme", 50, 4),
        ("second", "Second theme", 30, 3),
        ("third", "Third theme", 20, 2),
    )
    pillars = tuple(
        PillarPlan(
            id, title, weight, f"Photos of {', '.join(share) or 'nothing yet'}.", rate, tuple(share)
        )
        for (id, title, weight, rate), share in zip(names, shares, strict=True)
    )
    return Plan("yours", "Your photos", "UTC", "", folder, pillars)


def top_folder(found: Found) -> str:
    """The first folder on a file's path; the empty name for files that lie in none."""
    head, slash, _ = found.relative.partition("/")
    return head if slash else ""


def divided(plan: Plan) -> Division:
    """The files of the plan's folder: a few of each top folder as examples, spread over it.

    What lies in no planned folder goes to the first pillar.
    """
    owner = {folder: pillar.id for pillar in plan.pillars for folder in pillar.folders}
    folders: dict[str, list[Found]] = {}
    for found in walk(plan.folder):
        folders.setdefault(top_folder(found), []).append(found)
    division = Division({pillar.id: [] for pillar in plan.pillars}, [])
    for folder, files in folders.items():
        count = min(EXAMPLES, (len(files) + 1) // 2)
        chosen = {number * len(files) // count for number in range(count)}
        examples = division.examples[owner.get(folder, plan.pillars[0].id)]
        for number, found in enumerate(files):
            (examples if number in chosen else division.rest).append(found)
    return division
