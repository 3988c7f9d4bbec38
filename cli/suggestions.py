"""``colonnade suggestions``."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.suggestion_pb2 import Suggestion, SuggestionBatch
from colonnade.type.v1.job_pb2 import JobState
from google.rpc import code_pb2
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.connection import Suite
from cli.names import below, persona_name, split_list
from cli.output import (
    JsonOption,
    as_dict,
    dimmed,
    entry,
    indented,
    last_part,
    line,
    out,
    print_json,
    when,
    word,
)
from cli.run import FAILED, with_suite
from cli.runs import show_run
from libs.errors import DeadlineExceeded

app = typer.Typer(help="Ideas for what to make next.", no_args_is_help=True)

Show = Callable[[SuggestionBatch, Suggestion | None], None]
SuggestionName = Annotated[str, typer.Argument(help="personas/…/suggestions/…")]
_ENDED = (JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED)
_DEFAULT_COUNT = 5


@app.command()
def generate(
    persona: str,
    count: Annotated[int, typer.Option(help="How many, 1 to 100.")] = _DEFAULT_COUNT,
    pillar: Annotated[
        list[str] | None, typer.Option(help="Only for these pillars; by their gap otherwise.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Writes briefs for what is missing most, and shows each as soon as it is there."""
    parent = persona_name(persona)
    pillars = [below(parent, "pillars", name) for name in split_list(pillar or [])]
    wanted = SuggestionBatch(count=count, pillars=pillars)

    async def work(suite: Suite) -> tuple[SuggestionBatch, list[Suggestion]]:
        if json:
            return await write_suggestions(suite, parent, wanted, lambda _batch, _new: None)
        columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
        with Progress(*columns, console=out, transient=True) as bar:
            task = bar.add_task("writing", total=count)

            def show(_batch: SuggestionBatch, new: Suggestion | None) -> None:
                if new is not None:
                    show_suggestion(new)
                    bar.advance(task)

            return await write_suggestions(suite, parent, wanted, show)

    batch, written = with_suite(work)
    if json:
        print_json({"suggestionBatch": as_dict(batch), "suggestions": list(map(as_dict, written))})
    else:
        show_end(batch)
    if batch.state != JobState.JOB_STATE_SUCCEEDED:
        raise typer.Exit(FAILED)


async def write_suggestions(
    suite: Suite,
    parent: str,
    wanted: SuggestionBatch,
    progress: Show,
) -> tuple[SuggestionBatch, list[Suggestion]]:
    """Asks for a batch and watches it to its end; answers it and its suggestions by rank."""
    request = planning.CreateSuggestionBatchRequest(parent=parent, suggestion_batch=wanted)
    batch = await suite.planning.CreateSuggestionBatch(request)
    return await watch_suggestions(suite, batch, progress)


async def watch_suggestions(
    suite: Suite, batch: SuggestionBatch, progress: Show
) -> tuple[SuggestionBatch, list[Suggestion]]:
    """The batch once it has ended, and its suggestions by rank."""
    written: dict[str, Suggestion] = {}
    request = planning.WatchSuggestionBatchRequest(name=batch.name)
    while True:
        # A slow model may take longer than one watching may last.
        with suppress(DeadlineExceeded):
            async for event in suite.planning.WatchSuggestionBatch(request):
                batch, new = event.suggestion_batch, event.suggestion
                is_new = bool(new.name) and new.name not in written
                if is_new:
                    written[new.name] = new
                progress(batch, new if is_new else None)
        # A suite that is told to stop ends the watching before the batch has ended.
        if batch.state in _ENDED:
            return batch, sorted(written.values(), key=lambda suggestion: suggestion.rank)


def show_suggestion(suggestion: Suggestion) -> None:
    """A suggestion as a card of a few lines."""
    pillar, state = last_part(suggestion.pillar), word(Suggestion.State, suggestion.state)
    source = "" if suggestion.source == "template" else f", by {suggestion.source}"
    told = f"{pillar}, {state}{source}"
    line(f"\n[bold]{suggestion.rank}. {escape(suggestion.title)}[/bold] ({escape(told)})")
    indented(suggestion.description)
    indented(f"Why: {suggestion.reason}")
    if suggestion.nearest_photos:
        near = ", ".join(last_part(photo) for photo in suggestion.nearest_photos[:1])
        more = len(suggestion.nearest_photos) - 1
        indented(f"Nearest photo: {near}" + (f" and {more} more" if more else ""))
    if suggestion.reject_reason:
        indented(f"Turned down: {suggestion.reject_reason}")
    dimmed(suggestion.name)


def show_end(batch: SuggestionBatch) -> None:
    """How a batch ended, in a line or two."""
    line(f"\n{batch.written} of {batch.count} written")
    if batch.exhausted:
        line("[yellow]fewer than asked for[/yellow]: every further idea was a repetition")
    if batch.error.message:
        colour = "dim" if batch.error.code == code_pb2.OK else "yellow"
        line(f"[{colour}]{escape(batch.error.message)}[/{colour}]")


@app.command("list")
def list_suggestions(
    persona: str,
    filter: Annotated[str, typer.Option(help='Such as state = "PENDING".')] = "",
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists suggestions, newest first."""
    parent = persona_name(persona)
    found = with_suite(lambda suite: some_suggestions(suite, parent, filter, limit))
    if json:
        return print_json(found)
    for suggestion in found:
        state = word(Suggestion.State, suggestion.state)
        told = f"{last_part(suggestion.pillar)}, {state}, {suggestion.gap:.1f} missing"
        entry(suggestion.title, told, suggestion.name)
    return None


async def some_suggestions(suite: Suite, parent: str, filter: str, limit: int) -> list[Suggestion]:
    """Up to ``limit`` suggestions, page by page."""
    found: list[Suggestion] = []
    token = ""
    while len(found) < limit:
        request = planning.ListSuggestionsRequest(
            parent=parent, page_size=min(200, limit - len(found)), page_token=token, filter=filter
        )
        page = await suite.planning.ListSuggestions(request)
        found.extend(page.suggestions)
        token = page.next_page_token
        if not token:
            break
    return found


@app.command()
def show(suggestion: SuggestionName, json: JsonOption = False) -> None:
    """Shows a suggestion with its prompt."""
    request = planning.GetSuggestionRequest(name=suggestion)
    found = with_suite(lambda suite: suite.planning.GetSuggestion(request))
    if json:
        return print_json(found)
    show_suggestion(found)
    indented(f"Prompt: {found.prompt or '(none yet)'}")
    indented(f"Keywords: {', '.join(found.keywords) or '-'}")
    indented(f"Made {when(found.create_time)}" + (f", run {found.run}" if found.run else ""))
    return None


@app.command()
def edit(
    suggestion: SuggestionName,
    title: Annotated[str | None, typer.Option(help="Two to five words.")] = None,
    description: Annotated[str | None, typer.Option(help="What the picture shows.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What an image backend is asked.")] = None,
    keyword: Annotated[list[str] | None, typer.Option(help="Replaces the keywords.")] = None,
    json: JsonOption = False,
) -> None:
    """Changes a suggestion that is not decided."""
    texts = {"title": title, "description": description, "prompt": prompt}
    changes = {name: text for name, text in texts.items() if text is not None}
    changed = Suggestion(name=suggestion, keywords=split_list(keyword or []), **changes)  # type: ignore[arg-type]
    request = planning.UpdateSuggestionRequest(suggestion=changed)
    request.update_mask.paths.extend([*changes, *(["keywords"] if keyword is not None else [])])
    if not request.update_mask.paths:
        raise typer.BadParameter("give what to change: --title, --description, --prompt, --keyword")
    found = with_suite(lambda suite: suite.planning.UpdateSuggestion(request))
    print_json(found) if json else show_suggestion(found)


@app.command()
def accept(suggestion: SuggestionName, json: JsonOption = False) -> None:
    """Accepts a suggestion: creates the run that makes its picture."""
    request = planning.AcceptSuggestionRequest(name=suggestion)
    answer = with_suite(lambda suite: suite.planning.AcceptSuggestion(request))
    print_json(answer) if json else show_run(answer.run)


@app.command()
def reject(
    suggestion: SuggestionName,
    reason: Annotated[str, typer.Option(help="Why; the next ones keep away from it.")] = "",
    json: JsonOption = False,
) -> None:
    """Turns a suggestion down."""
    request = planning.RejectSuggestionRequest(name=suggestion, reason=reason)
    answer = with_suite(lambda suite: suite.planning.RejectSuggestion(request))
    print_json(answer) if json else line(f"turned down [bold]{escape(suggestion)}[/bold]")


@app.command()
def delete(suggestion: SuggestionName, json: JsonOption = False) -> None:
    """Deletes a suggestion that was turned down."""
    request = planning.DeleteSuggestionRequest(name=suggestion)
    with_suite(lambda suite: suite.planning.DeleteSuggestion(request))
    print_json({"name": suggestion}) if json else line(f"deleted [bold]{escape(suggestion)}[/bold]")
