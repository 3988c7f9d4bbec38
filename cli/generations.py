"""``colonnade generations``."""

from collections.abc import Sequence
from typing import Annotated

import typer
from colonnade.clustering.v1 import generation_service_pb2 as api
from colonnade.clustering.v1.generation_pb2 import Generation
from rich.markup import escape

from cli.connection import Suite
from cli.names import persona_name, split_list
from cli.output import JsonOption, err, last_part, line, print_json, table, when, word
from cli.run import FAILED, with_suite
from libs.errors import FailedPrecondition, NotFound

app = typer.Typer(
    help="The vectors of all photos and texts, by the model that made them.", no_args_is_help=True
)
GenerationArgument = Annotated[str, typer.Argument(help="Its name or id.")]
MissingOption = Annotated[
    int | None, typer.Option(min=0, help="How many photos may have no vector in it yet.")
]


@app.command("list")
def list_generations(json: JsonOption = False) -> None:
    """Lists the generations, newest first."""
    found = with_suite(all_generations)
    if json:
        return print_json(found)
    table(
        "Generations",
        ("generation", "of", "state", "#done"),
        [
            (
                f"{last_part(g.model)}\n{last_part(g.name)}",
                word(Generation.Modality, g.modality),
                word(Generation.State, g.state),
                f"{g.counts.done}/{g.counts.total}",
            )
            for g in found
        ],
        whole="generation",
    )
    return None


@app.command()
def create(
    model: Annotated[str, typer.Argument(help="The model; unset: the default one.")] = "",
    texts: Annotated[bool, typer.Option("--texts", help="Of texts, not of photos.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is filled.")] = False,
    json: JsonOption = False,
) -> None:
    """Embeds all photos, or texts, with another model, beside the vectors in use."""
    modality = Generation.MODALITY_TEXTS if texts else Generation.MODALITY_PHOTOS
    name = f"models/{last_part(model)}" if model else ""

    async def work(suite: Suite) -> Generation:
        wanted = Generation(model=name, modality=modality)
        request = api.CreateGenerationRequest(generation=wanted)
        made = await suite.generations.CreateGeneration(request)
        return await _watched(suite, made.name, json=json) if wait else made

    _print(with_suite(work), json=json)


@app.command()
def watch(generation: GenerationArgument, json: JsonOption = False) -> None:
    """Shows how a generation is filled, until that is done; exit code 1 if it cannot be."""
    done = with_suite(lambda suite: _watched(suite, _name(generation), json=json))
    _print(done, json=json)
    if done.state in (Generation.STATE_FAILED, Generation.STATE_CANCELLED):
        raise typer.Exit(FAILED)


@app.command()
def show(generation: GenerationArgument, json: JsonOption = False) -> None:
    """Shows a generation."""
    _print(with_suite(lambda suite: _get(suite, generation)), json=json)


@app.command()
def compare(generation: GenerationArgument, json: JsonOption = False) -> None:
    """Shows how a generation compares with the one that was active when it was filled."""
    found = with_suite(lambda suite: _get(suite, generation))
    if json:
        return print_json(found.comparison)
    if not found.HasField("comparison"):
        line(f"{last_part(found.name)} is {word(Generation.State, found.state)}: not compared yet.")
        return None
    told = found.comparison
    line(f"[bold]{escape(last_part(found.model))}[/bold] against {last_part(told.generation)}")
    line(f"  photos compared            {told.sample}")
    line(f"  same among the nearest ten {told.neighbour_overlap:.0%}")
    if told.HasField("pillar_agreement"):
        now, then = told.pillar_agreement, told.other_pillar_agreement
        line(f"  nearest of the same pillar {now:.1%} (the other one: {then:.1%})")
    line(
        f"  near-duplicates            {told.common_duplicates} in both,"
        f" {told.new_duplicates} new, {told.lost_duplicates} lost"
    )
    return None


@app.command()
def activate(
    generation: GenerationArgument, allow_missing: MissingOption = None, json: JsonOption = False
) -> None:
    """Has everything use a generation from now on."""
    answer = with_suite(lambda suite: _activated(suite, _name(generation), allow_missing))
    _switched(answer, json=json)


@app.command()
def rollback(
    texts: Annotated[bool, typer.Option("--texts", help="Of texts, not of photos.")] = False,
    allow_missing: MissingOption = None,
    json: JsonOption = False,
) -> None:
    """Goes back to the generation that was active before."""
    modality = Generation.MODALITY_TEXTS if texts else Generation.MODALITY_PHOTOS

    async def work(suite: Suite) -> api.ActivateGenerationResponse:
        retired = [
            g
            for g in await all_generations(suite)
            if g.state == Generation.STATE_RETIRED and g.modality == modality
        ]
        if not retired:
            raise FailedPrecondition("no earlier generation is kept", reason="NOT_FOUND")
        last = max(retired, key=lambda g: (g.retire_time.seconds, g.retire_time.nanos))
        # Whoever goes back wants that now; what came since is embedded right after.
        missing = last.counts.missing if allow_missing is None else allow_missing
        return await _activated(suite, last.name, missing)

    _switched(with_suite(work), json=json)


@app.command()
def cancel(generation: GenerationArgument, json: JsonOption = False) -> None:
    """Stops filling a generation."""
    request = api.CancelGenerationRequest(name=_name(generation))
    answer = with_suite(lambda suite: suite.generations.CancelGeneration(request))
    _print(answer.generation, json=json)


@app.command()
def delete(generation: GenerationArgument) -> None:
    """Deletes a generation that is not in use, with its vectors."""
    request = api.DeleteGenerationRequest(name=_name(generation))
    with_suite(lambda suite: suite.generations.DeleteGeneration(request))
    line(f"deleted [bold]{last_part(generation)}[/bold]")


@app.command()
def retry(
    persona: Annotated[str, typer.Argument(help="Whose photos; - means all.")] = "-",
    generation: Annotated[str, typer.Option(help="In this one; unset: the active one.")] = "",
    reason: Annotated[list[str] | None, typer.Option(help="Only failed for these.")] = None,
    json: JsonOption = False,
) -> None:
    """Has photos embedded again that could not be embedded before."""
    request = api.RetryEmbeddingsRequest(
        parent=persona_name(persona),
        generation=_name(generation) if generation else "",
        reasons=split_list(reason or []),
    )
    answer = with_suite(lambda suite: suite.generations.RetryEmbeddings(request))
    print_json(answer) if json else line(f"{answer.count} photos are embedded again")


async def all_generations(suite: Suite) -> Sequence[Generation]:
    """All generations, newest first."""
    found: list[Generation] = []
    request = api.ListGenerationsRequest(page_size=200)
    while True:
        page = await suite.generations.ListGenerations(request)
        found.extend(page.generations)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found


async def _get(suite: Suite, generation: str) -> Generation:
    return await suite.generations.GetGeneration(api.GetGenerationRequest(name=_name(generation)))


async def _watched(suite: Suite, name: str, *, json: bool) -> Generation:
    """The generation when it is filled no longer."""
    shown = None
    async for answer in suite.generations.WatchGeneration(api.WatchGenerationRequest(name=name)):
        shown = answer.generation
        counts = shown.counts
        if not json:
            state = word(Generation.State, shown.state)
            failed = f", {counts.failed} failed" if counts.failed else ""
            err.print(f"  {state} {counts.done}/{counts.total}{failed}")
    if shown is None:
        raise NotFound("generation", name)
    return shown


async def _activated(
    suite: Suite, name: str, allow_missing: int | None
) -> api.ActivateGenerationResponse:
    request = api.ActivateGenerationRequest(name=name, allow_missing=allow_missing)
    return await suite.generations.ActivateGeneration(request)


def _switched(answer: api.ActivateGenerationResponse, *, json: bool) -> None:
    if json:
        return print_json(answer)
    model = escape(last_part(answer.generation.model))
    line(f"active: [bold]{last_part(answer.generation.name)}[/bold] ({model})")
    if answer.previous:
        line(f"before: {last_part(answer.previous)}; [bold]colonnade generations rollback[/bold]")
    missing = answer.generation.counts.missing
    if missing:
        line(f"{missing} photos have no vector in it yet; they are embedded now")
    return None


def _print(found: Generation, *, json: bool) -> None:
    if json:
        return print_json(found)
    counts = found.counts
    line(f"[bold]{last_part(found.name)}[/bold]")
    line(f"  model      {escape(last_part(found.model))} {found.revision} {found.fingerprint}")
    line(f"  dimension  {found.dimension}")
    line(f"  state      {word(Generation.State, found.state)}")
    line(f"  photos     {counts.done} of {counts.total}, {counts.missing} to do")
    for failure in found.failures:
        line(f"  failed     {failure.count} {failure.reason}")
    if found.error.message:
        line(f"  error      {escape(found.error.message)}")
    line(f"  created    {when(found.create_time)}")
    line(f"  active     {when(found.activate_time)}")
    return None


def _name(text: str) -> str:
    return f"generations/{last_part(text)}"
