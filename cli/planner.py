"""``colonnade posts plan``, ``preview``, ``decisions`` and ``calendar``."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from colonnade.scheduler.v1 import planner_service_pb2 as planner
from colonnade.scheduler.v1.plan_pb2 import CalendarPlan, PlanDecision, PlannedPost, PlanOptions
from colonnade.scheduler.v1.post_pb2 import PostResult
from rich.markup import escape

from cli.connection import Suite
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, last_part, line, out, print_json, timestamp, when, word
from cli.posts import result_line
from cli.run import FAILED, with_suite
from cli.times import moment


class Strategy(StrEnum):
    """How photos are chosen."""

    SHARE = "share"
    BEST_FIRST = "best-first"
    ROTATION = "rotation"
    THEME = "theme"


DaysOption = Annotated[int, typer.Option(min=1, max=90, help="For how many days.")]
StrategyOption = Annotated[
    Strategy,
    typer.Option(
        help="The pillar that lacks most, the best photo, the longest unused, one theme a week."
    ),
]
StartOption = Annotated[str, typer.Option(help="The first moment, as --at of schedule.")]
MostOption = Annotated[
    int, typer.Option("--max", min=0, max=200, help="At most so many.", show_default=False)
]
SeedOption = Annotated[int, typer.Option(help="Draws the minutes within the slots.")]


def preview(
    persona: str,
    days: DaysOption = 7,
    strategy: StrategyOption = Strategy.SHARE,
    start: StartOption = "now",
    most: MostOption = 0,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Shows which photos would go out when, and why; changes nothing."""
    parent, options = persona_name(persona), _options(days, strategy, start, most, seed)
    plan = with_suite(lambda suite: _previewed(suite, parent, options))
    print_json(plan) if json else show_plan(plan)


def plan(
    persona: str,
    days: DaysOption = 7,
    strategy: StrategyOption = Strategy.SHARE,
    start: StartOption = "now",
    most: MostOption = 0,
    seed: SeedOption = 0,
    caption: Annotated[str, typer.Option(help="The text of all; else of each photo.")] = "",
    hashtag: Annotated[list[str] | None, typer.Option(help="Hashtags of all.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Channels; all by default.")] = None,
    compose: Annotated[
        bool,
        typer.Option("--compose", help="Write captions and hashtags for posts that have none."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Fills the free slots of the calendar, and remembers why each photo was chosen."""
    parent, options = persona_name(persona), _options(days, strategy, start, most, seed)

    async def work(suite: Suite) -> tuple[CalendarPlan, list[PostResult]]:
        shown = await _previewed(suite, parent, options)
        request = planner.CommitPlanRequest(
            parent=parent,
            options=options,
            fingerprint=shown.fingerprint,
            caption=caption,
            hashtags=split_list(hashtag or []),
            channels=[below(parent, "channels", c) for c in split_list(channel or [])],
            compose=compose,
        )
        return shown, list((await suite.planner.CommitPlan(request)).results)

    shown, results = with_suite(work)
    if json:
        print_json(results)
    else:
        show_plan(shown)
        for result in results:
            out.print(result_line(result), markup=False, soft_wrap=True)
    if any(result.status.code for result in results):
        raise typer.Exit(FAILED)


def decisions(
    persona: str,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    json: JsonOption = False,
) -> None:
    """Lists why photos were chosen, newest first."""
    request = planner.ListPlanDecisionsRequest(parent=persona_name(persona), page_size=limit)
    found = with_suite(lambda suite: suite.planner.ListPlanDecisions(request)).plan_decisions
    print_json(list(found)) if json else _show_decisions(found)


def calendar(
    persona: str,
    output: Annotated[Path, typer.Option("--ics", help="Where to write it.")],
) -> None:
    """Writes the posts as an iCalendar file, for other programs' calendars."""
    request = planner.ExportCalendarRequest(parent=persona_name(persona))
    body = with_suite(lambda suite: suite.planner.ExportCalendar(request))
    output.write_bytes(body.data)
    line(f"{body.data.count(b'BEGIN:VEVENT')} posts in {escape(str(output))}")


def show_plan(plan: CalendarPlan) -> None:
    """Each post with its reason."""
    line(f"{len(plan.posts)} posts")
    for planned in plan.posts:
        _show_planned(planned, last_part(planned.pillar))
    if plan.unfilled_count:
        line(f"  {plan.unfilled_count} free slots stay empty: no photo is left for them")
    for reason, count in sorted(plan.unfit_counts.items()):
        why = reason.lower().replace("_", " ")
        line(f"  {count} photos are left out, as a channel does not take them: {why}")


def _options(days: int, strategy: Strategy, start: str, most: int, seed: int) -> PlanOptions:
    name = f"STRATEGY_{strategy.upper().replace('-', '_')}"
    options = PlanOptions(
        days=days, strategy=PlanOptions.Strategy.Value(name), max_posts=most, seed=seed
    )
    if start != "now":
        options.start_time.CopyFrom(timestamp(moment(start, datetime.now(UTC), "start")))
    return options


async def _previewed(suite: Suite, parent: str, options: PlanOptions) -> CalendarPlan:
    request = planner.PreviewPlanRequest(parent=parent, options=options)
    return (await suite.planner.PreviewPlan(request)).plan


def _show_decisions(found: Sequence[PlanDecision]) -> None:
    for decision in found:
        _show_planned(decision.planned_post, word(PlanOptions.Strategy, decision.strategy))


def _show_planned(planned: PlannedPost, what: str) -> None:
    photo = escape(planned.file_name or last_part(planned.photo))
    line(f"  [bold]{when(planned.scheduled_time)}[/bold] {photo} ({escape(what)})")
    line(f"    {escape(planned.reason)}{_passed_over(planned)}")


def _passed_over(planned: PlannedPost) -> str:
    total = sum(each.count for each in planned.refused)
    return f"; {total} passed over" if total else ""
