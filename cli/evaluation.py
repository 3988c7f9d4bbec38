"""``colonnade eval``: what models are worth on photos of which one knows what they show."""

import json as jsons
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.child import result_of, run_child
from cli.clustering_evaluation import clustering
from cli.evaluation_plot import draw
from cli.output import err, line, table
from cli.run import FAILED

app = typer.Typer(
    help="Measures models and ways to group on photos of yours.",
    no_args_is_help=True,
)
app.command()(clustering)

_MODULE = "services.embedding.evaluation"
_MIB = 1024 * 1024
_SHOWN = 5
_QUALITY = ("model", "#R@1", "#R@5", "#mAP", "#kNN5", "#purity", "#NMI", "#ARI")
_COST = ("model", "#numbers", "#file MB", "#RAM MB", "#decode", "#infer")
DATA = Path(".data/suite")


@app.callback()
def group() -> None:
    """Measures models and ways to group on photos of yours."""


@app.command()
def embedding(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Photos in subfolders named after what they show, or with a labels.csv."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(help="The id of a model; may be repeated. By default all of them."),
    ] = None,
    card: Annotated[
        list[Path] | None,
        typer.Option(help="The card of a model that is not in the suite; may be repeated."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="A table with the columns file and label.")
    ] = None,
    data: Annotated[Path, typer.Option(help="The data folder of the suite.")] = DATA,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings.")] = None,
    json: Annotated[
        str, typer.Option(metavar="FILE", help="Write the numbers as JSON; - prints them instead.")
    ] = "",
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the numbers.")] = None,
) -> None:
    """Compares models: do photos find their like, do groups come out pure, what does it cost?

    See docs/embedding-quality.md. Works without a running suite and without a
    network. Exit code 1: a model could not be measured.
    """
    quiet = json == "-"
    suite = ["--data", str(data), *(["--config", str(config)] if config else [])]
    photos = [str(folder), *(["--labels", str(labels)] if labels else [])]
    chosen = [part for id in model or () for part in ("--model", id)]
    chosen += [part for path in card or () for part in ("--card", str(path))]
    plan = result_of(*_step([*suite, "plan", *photos, *chosen], quiet=quiet))
    report = {"folder": str(folder), "machine": _machine(), **plan, "models": [], "failed": []}
    for each in plan["models"]:
        _, answer = _step([*suite, "measure", *photos, *each["measure"]], quiet=quiet)
        if "result" in answer:
            report["models"].append(answer["result"])
        else:
            failure = answer.get("error", {"reason": "CRASHED", "message": "its process ended"})
            report["failed"].append({"model": each["name"], **failure})
    _hand_over(report, json, plot)
    raise typer.Exit(FAILED if report["failed"] else 0)


def _step(arguments: Sequence[str], *, quiet: bool) -> tuple[int, dict[str, Any]]:
    return run_child(_MODULE, arguments, os.environ, quiet=quiet)


def _machine() -> dict[str, Any]:
    return {"system": platform.platform(), "processors": os.cpu_count()}


def _hand_over(report: Mapping[str, Any], json: str, plot: Path | None) -> None:
    text = jsons.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if json == "-":
        sys.stdout.write(text)
    else:
        _show(report)
    if json not in ("", "-"):
        Path(json).write_text(text, encoding="utf-8")
    for failure in report["failed"]:
        err.print(f"[red]{escape(failure['model'])}[/red]: {escape(failure['message'])}")
    if plot is not None and report["models"]:
        draw(report).save(plot, "PNG")


def _show(report: Mapping[str, Any]) -> None:
    line(
        f"[bold]{report['photos']} photos, {len(report['labels'])} labels[/bold]"
        f" in {escape(report['folder'])}"
    )
    models = report["models"]
    if models:
        table("Quality (1 is best)", _QUALITY, [_quality(each) for each in models])
        table(
            "Cost (milliseconds of one photo at a time, on one thread)",
            _COST,
            [_cost(each) for each in models],
        )
        line(
            "R@1, R@5: one of the same label is the nearest, or among the 5 nearest. mAP: how\n"
            "far in front all of its label are. kNN5: the 5 nearest vote for its label.\n"
            "purity, NMI, ARI: groups of k-means, as many as labels, against the labels."
        )
    unreadable = {name: why for each in models for name, why in each["unreadable"].items()}
    for name, why in list(unreadable.items())[:_SHOWN]:
        line(f"  [yellow]left out[/yellow] {escape(name)}: {why.lower().replace('_', ' ')}")
    if len(unreadable) > _SHOWN:
        line(f"  … and {len(unreadable) - _SHOWN} more; --json lists them all")


def _quality(measured: Mapping[str, Any]) -> list[str]:
    found, groups = measured["retrieval"], measured["grouping"]
    shares = (
        found["recall1"],
        found["recall5"],
        found["mean_average_precision"],
        found["knn5"],
        groups["purity"],
        groups["nmi"],
        groups["ari"],
    )
    return [measured["model"], *(_share(value) for value in shares)]


def _share(value: float) -> str:
    """Without the leading zero, so that a row fits into 80 columns."""
    return f"{value:.3f}"[1:] if 0 <= value < 0.9995 else f"{value:.2f}"


def _cost(measured: Mapping[str, Any]) -> list[str]:
    cost = measured["cost"]
    return [
        measured["model"],
        str(measured["dimension"]),
        f"{cost['file_bytes'] / _MIB:.1f}",
        f"{cost['memory_bytes'] / _MIB:.0f}",
        f"{cost['decode_ms']:.1f}",
        f"{cost['inference_ms']:.1f}",
    ]
