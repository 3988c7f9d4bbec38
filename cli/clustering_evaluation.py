"""``colonnade eval clustering``: what groups are worth where one knows what photos show."""

import json as jsons
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.child import result_of, run_child
from cli.evaluation_plot import draw_groupings
from cli.output import err, line, table
from cli.run import FAILED

_VECTORS, _GROUPS = "services.embedding.evaluation", "services.clustering.evaluation"
_QUALITY = ("setting", "#BCubed", "#F1", "#ARI", "#NMI", "#purity", "#heroes")
_FOUND = ("setting", "#groups", "#largest", "#outside", "#seconds")
# The parameters of a setting are told in this order, by their value alone where it is clear.
_TOLD = {
    "granularity": "{:.2f}",
    "threshold": "{:.2f}",
    "cluster_count": "{} groups",
    "min_size": "{}+",
}


def clustering(
    dataset: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Photos in subfolders named after what they show, or with a labels.csv.",
        ),
    ],
    params_grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,…",
            help="Values of granularity, threshold, min_size or cluster_count to try; each "
            "algorithm tries all of what it has. May be repeated.",
        ),
    ] = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            help="mixture, nearest, hdbscan, dbscan, agglomerative or k-means; may be repeated. "
            "By default all of them."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="The id of a model; the default one of the suite if left out.")
    ] = "",
    card: Annotated[
        Path | None, typer.Option(help="The card of a model that is not in the suite.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="A table with the columns file and label.")
    ] = None,
    data: Annotated[Path, typer.Option(help="The data folder of the suite.")] = Path(".data/suite"),
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings.")] = None,
    json: Annotated[
        str, typer.Option(metavar="FILE", help="Write the numbers as JSON; - prints them instead.")
    ] = "",
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the numbers.")] = None,
) -> None:
    """Compares ways to find groups: do groups hold what belongs together?

    Works without a running suite and without a network, and changes nothing.
    Exit code 1: a setting could not be measured.
    """
    quiet = json == "-"
    suite = ["--data", str(data), *(["--config", str(config)] if config else [])]
    photos = [str(dataset), *(["--labels", str(labels)] if labels else [])]
    photos += ["--model", model] if model else []
    photos += ["--card", str(card)] if card else []
    wanted = [part for axis in params_grid or () for part in ("--grid", axis)]
    wanted += [part for name in algorithm or () for part in ("--algorithm", name)]
    # Before minutes go into vectors.
    _step(_GROUPS, [*suite, *wanted], quiet=quiet)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "vectors.npz")
        embedded = _step(_VECTORS, [*suite, "vectors", *photos, "--to", file], quiet=quiet)
        compared = _step(_GROUPS, [file, *suite, *wanted], quiet=quiet)
    report = {"folder": str(dataset), **embedded, **compared}
    _hand_over(report, json, plot)
    raise typer.Exit(FAILED if report["failed"] else 0)


def _step(module: str, arguments: list[str], *, quiet: bool) -> dict[str, Any]:
    return result_of(*run_child(module, arguments, os.environ, quiet=quiet))


def _hand_over(report: Mapping[str, Any], json: str, plot: Path | None) -> None:
    text = jsons.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if json == "-":
        sys.stdout.write(text)
    else:
        _show(report)
    if json not in ("", "-"):
        Path(json).write_text(text, encoding="utf-8")
    for failure in report["failed"]:
        err.print(f"[red]{escape(name_of(failure))}[/red]: {escape(failure['message'])}")
    if plot is not None and report["rows"]:
        names = [name_of(row) for row in report["rows"]]
        draw_groupings(report, names).save(plot, "PNG")


def _show(report: Mapping[str, Any]) -> None:
    line(
        f"[bold]{report['photos']} photos, {len(report['labels'])} labels[/bold]"
        f" in {escape(report['folder'])}, by {escape(report['model'])}"
    )
    rows = sorted(report["rows"], key=lambda row: -row["bcubed"])
    if rows:
        table("Quality (1 is best)", _QUALITY, [_quality(row) for row in rows])
        table("What was found", _FOUND, [_found(row) for row in rows])
        line(
            "BCubed, F1, ARI, NMI: agreement with the labels, of each photo's group, of all\n"
            "pairs, beyond chance, and as information; photos outside count as groups of one.\n"
            "purity: grouped photos that have their group's most frequent label. heroes:\n"
            "groups whose most central photo has it."
        )
    if report["unreadable"]:
        line(f"  [yellow]left out[/yellow] {len(report['unreadable'])} photos; --json tells which")


def name_of(row: Mapping[str, Any]) -> str:
    """A setting in a few words: the algorithm and what it was told."""
    told = [
        form.format(row["params"][name]) for name, form in _TOLD.items() if name in row["params"]
    ]
    return " ".join([row["algorithm"].replace("_", "-"), *told])


def _quality(row: Mapping[str, Any]) -> list[str]:
    shares = ("bcubed", "f1", "ari", "nmi", "purity", "heroes")
    return [name_of(row), *(f"{row[name]:.3f}" for name in shares)]


def _found(row: Mapping[str, Any]) -> list[str]:
    return [
        name_of(row),
        str(row["groups"]),
        str(row["largest"]),
        f"{row['unclustered']:.1%}",
        f"{row['seconds']:.2f}",
    ]
