"""The ``colonnade`` command."""

import sys

import typer
from rich.markup import escape

from cli import (
    campaigns,
    captions,
    channels,
    clusters,
    duplicates,
    evaluation,
    gaps,
    generations,
    imports,
    inbox,
    items,
    keys,
    migrate,
    models,
    persona_changes,
    personas,
    photos,
    pillars,
    planner,
    post_changes,
    post_results,
    post_sync,
    posts,
    runs,
    search,
    suggestions,
    suite,
)
from cli.output import err
from cli.run import FAILED

app = typer.Typer(
    name="colonnade",
    help="A content studio: from a folder of photos to a planned, published feed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(suite.up)
app.command("status")(suite.status)
app.command("doctor")(suite.doctor)
app.command("gaps")(gaps.gaps)
app.command("search")(search.search)
app.add_typer(personas.app, name="personas")
personas.app.command()(persona_changes.update)
app.add_typer(pillars.app, name="pillars")
app.add_typer(suggestions.app, name="suggestions")
app.add_typer(runs.app, name="runs")
app.add_typer(campaigns.app, name="campaigns")
app.add_typer(photos.app, name="photos")
app.add_typer(imports.app, name="imports")
app.add_typer(inbox.app, name="inbox")
app.add_typer(items.app, name="items")
app.add_typer(clusters.app, name="clusters")
app.add_typer(duplicates.app, name="duplicates")
app.add_typer(channels.app, name="channels")
app.add_typer(posts.app, name="posts")
for planning in (
    planner.preview,
    planner.plan,
    planner.decisions,
    planner.calendar,
    captions.captions,
    captions.hashtags,
    post_changes.update,
    post_changes.approve,
    post_sync.sync,
):
    posts.app.command()(planning)
posts.app.command("publish-now")(post_changes.publish_now)
posts.app.command("results")(post_results.results_of)
posts.app.command("withdraw-approval")(post_changes.withdraw_approval)
app.add_typer(models.app, name="models")
app.add_typer(generations.app, name="generations")
app.add_typer(evaluation.app, name="eval")
app.add_typer(keys.app, name="keys")
app.add_typer(migrate.app, name="migrate")


def main() -> None:
    """Runs the command that the arguments name; a file that cannot be used is told in a line."""
    try:
        app()
    except OSError as error:
        if error.filename is None:
            raise
        why = error.strerror or type(error).__name__
        err.print(f"[red]file[/red]: {escape(str(error.filename))}: {escape(why)}")
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
