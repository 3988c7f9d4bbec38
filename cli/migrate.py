"""``colonnade migrate``: moves a library in that hangs its photos on clusters."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.child import result_of, run_child
from cli.connection import Target
from cli.output import JsonOption, line, print_json, table

app = typer.Typer(
    help="Moves in a library that hangs its photos on clusters; see docs/migrating.md.",
    no_args_is_help=True,
)

_SHOWN = 50
_FEW = 10

SourceOption = Annotated[
    str,
    typer.Option(
        help="postgresql://… of the older library, or a plain-text dump of it.",
        envvar="COLONNADE_LEGACY_SOURCE",
    ),
]
DataOption = Annotated[Path, typer.Option(help="The data folder of the suite.")]
ConfigOption = Annotated[Path | None, typer.Option(help="A TOML file with settings.")]
DATA = Path(".data/suite")


@app.command()
def audit(source: SourceOption, json: JsonOption = False) -> None:
    """Counts what there is and lists what needs a look. Reads only."""
    code, report = _step(["audit"], source=source, quiet=json)
    print_json(report) if json else _show_audit(report)
    raise typer.Exit(code)


@app.command()
def plan(source: SourceOption, json: JsonOption = False) -> None:
    """Tells for each photo where it would go and by which rule. Changes nothing."""
    code, report = _step(["plan"], source=source, quiet=json)
    if json:
        print_json(report)
    else:
        _show_audit(report["audit"])
        _show_photos("Where photos would go", report["photos"])
        _show_notes(report["notes"])
    raise typer.Exit(code)


@app.command()
def apply(
    media: Annotated[
        str, typer.Option(help="Where the files are: a folder or s3://bucket/prefix.")
    ],
    source: SourceOption = "",
    media_prefix: Annotated[
        str, typer.Option(help="What that place was called in the older library.")
    ] = "",
    data: DataOption = DATA,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Takes everything in. Run it again at any time: it goes on, and makes nothing twice.

    Exit code 3: some photos wait in quarantine.
    """
    step = ["apply", "--media", media, "--media-prefix", media_prefix]
    code, report = _step(step, _suite(data, config), source=source, quiet=json)
    print_json(report) if json else _show_status(report)
    raise typer.Exit(code)


@app.command()
def status(data: DataOption = DATA, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Tells where the migration stands."""
    code, report = _step(["status"], _suite(data, config), quiet=json)
    print_json(report) if json else _show_status(report)
    raise typer.Exit(code)


@app.command()
def quarantine(
    data: DataOption = DATA, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Lists the photos that wait for a person, and why; exit code 3 if there are any."""
    code, report = _step(["quarantine"], _suite(data, config), quiet=json)
    if json:
        print_json(report)
    elif report["photos"]:
        _show_waiting(report["photos"])
    else:
        line("No photo waits.")
    raise typer.Exit(code)


@app.command()
def assign(
    photos: Annotated[list[str], typer.Argument(help="Their ids in the older library.")],
    pillar: Annotated[str, typer.Option(help="Where they go, personas/…/pillars/…")],
    data: DataOption = DATA,
    config: ConfigOption = None,
) -> None:
    """Says to which pillar photos in quarantine go; apply again to take them there."""
    code, report = _step(["assign", "--pillar", pillar, *photos], _suite(data, config))
    line(f"{report['assigned']} photos go to [bold]{escape(pillar)}[/bold]; now apply again")
    raise typer.Exit(code)


@app.command("give-up")
def give_up(
    ids: Annotated[list[str], typer.Argument(help="Their ids in the older library.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    kind: Annotated[
        str, typer.Option("--table", help="The table of the older library.")
    ] = "photos",
    data: DataOption = DATA,
    config: ConfigOption = None,
) -> None:
    """Leaves rows behind that cannot be migrated, such as photos without a file."""
    step = ["give-up", "--reason", reason, "--table", kind, *ids]
    code, report = _step(step, _suite(data, config))
    line(f"{report['given_up']} rows of {kind} are left behind")
    raise typer.Exit(code)


@app.command()
def gate(
    source: SourceOption = "",
    data: DataOption = DATA,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Checks that everything came over as it was, and keeps the verdict.

    Exit code 3: something waits in quarantine; 4: something does not agree.
    """
    code, report = _step(["gate"], _suite(data, config), source=source, quiet=json)
    print_json(report) if json else _show_gate(report)
    raise typer.Exit(code)


@app.command()
def rollback(
    data: DataOption = DATA, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Takes back what the migration made; what people changed or scheduled since stays."""
    code, report = _step(["rollback"], _suite(data, config), quiet=json)
    if json:
        print_json(report)
    else:
        for text in report["left"][:_SHOWN]:
            line(f"  stays: {escape(text)}")
        line(f"rolled back; {len(report['left'])} things stay")
    raise typer.Exit(code)


@app.command()
def drop(
    confirm_backup: Annotated[str, typer.Option(help="Which backup has the older library.")],
    data: DataOption = DATA,
    config: ConfigOption = None,
) -> None:
    """Ends the migration: removes the staged rows for good. Needs a gate that passed."""
    step = ["drop", "--confirm-backup", confirm_backup]
    code, report = _step(step, _suite(data, config))
    line(
        f"dropped {report['dropped']}; the older library is in the backup {escape(confirm_backup)}"
    )
    raise typer.Exit(code)


def _suite(data: Path, config: Path | None) -> list[str]:
    return ["--data", str(data), *(["--config", str(config)] if config else [])]


def _step(
    step: Sequence[str], suite: Sequence[str] = (), *, source: str = "", quiet: bool = False
) -> tuple[int, dict[str, Any]]:
    """The exit code and the report of one step, done in a process of its own.

    Exits with the code of a step that is refused.
    """
    code, answer = run_child("services.legacy", [*suite, *step], _environment(source), quiet=quiet)
    return code, result_of(code, answer)


def _environment(source: str) -> dict[str, str]:
    """Ours, with the source, and with the services where this command finds them."""
    target = Target.from_environment()
    peers = {f"COLONNADE_PEERS__{name.upper()}": at for name, at in target.addresses.items()}
    return {**os.environ, **peers, "COLONNADE_LEGACY_SOURCE": source}


def _show_audit(report: Mapping[str, Any]) -> None:
    line(f"[bold]{escape(report['source'])}[/bold]")
    table("What there is", ("what", "#rows"), list(report["counts"].items()))
    shape = report["shape"]
    _list("absent tables", shape["absent_tables"])
    _list("absent columns", shape["absent_columns"])
    _list("unknown columns (kept in the staged rows)", shape["unknown_columns"])
    _list("not read", shape["left_out"])
    clusters, photos = report["clusters"], report["photos"]
    rows = [
        ("clusters without a pillar", len(clusters["without_pillar"])),
        ("clusters with several pillars", len(clusters["with_several_pillars"])),
        ("clusters with several primary pillars", len(clusters["with_several_primaries"])),
        ("assignments that lead nowhere", len(clusters["dangling_assignments"])),
        ("photos without a cluster", len(photos["orphans"])),
        ("photos of a cluster that is gone", len(photos["dangling_cluster"])),
        ("photos of a persona that is gone", len(photos["dangling_persona"])),
        ("photos without a path", len(photos["without_path"])),
        ("paths that several photos share", len(photos["same_path"])),
        ("posts of a photo that is gone", len(report["posts"]["dangling_photo"])),
    ]
    table("What needs a look", ("what", "#count"), rows)
    table("Which rule files photos", ("rule", "#photos"), list(photos["rules"].items()))
    table("What became of posts", ("fate", "#posts"), list(report["posts"]["fates"].items()))


def _show_photos(title: str, photos: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            p["photo"],
            p["path"],
            p["rule"],
            _short(p["pillar"]),
            ", ".join(p["doubts"]) or p["error"],
        )
        for p in photos[:_SHOWN]
    ]
    table(title, ("photo", "path", "rule", "pillar", "doubts"), rows)
    if len(photos) > _SHOWN:
        line(f"  … and {len(photos) - _SHOWN} more; --json lists them all")


def _short(pillar: str) -> str:
    """``nora/coffee`` of ``personas/nora/pillars/coffee``, or a dash."""
    return "/".join(pillar.split("/")[1::2]) or "-"


def _show_notes(notes: Sequence[Mapping[str, str]]) -> None:
    for note in notes[:_SHOWN]:
        line(f"  {note['kind']} {escape(note['id'])}: {escape(note['text'])}")


def _show_status(report: Mapping[str, Any]) -> None:
    line(f"[bold]{escape(report['source'])}[/bold]: {report['state'].lower().replace('_', ' ')}")
    rows = [
        (name, ", ".join(f"{count} {state.lower()}" for state, count in states.items()) or "-")
        for name, states in report["tables"].items()
    ]
    table("What became of the rows", ("table", "rows"), rows)
    _show_notes(report["notes"])
    for text in report.get("undelivered", [])[:_SHOWN]:
        line(f"  [yellow]waits[/yellow]: {escape(text)}")
    waiting = [p for p in report["photos"] if p["state"] == "QUARANTINED"]
    if waiting:
        _show_waiting(waiting)


def _show_waiting(photos: Sequence[Mapping[str, Any]]) -> None:
    rows = [(p["photo"], p["path"], p["reason"], p["message"]) for p in photos[:_SHOWN]]
    table(f"{len(photos)} photos wait in quarantine", ("photo", "path", "reason", "why"), rows)


def _show_gate(report: Mapping[str, Any]) -> None:
    for check in report["checks"]:
        mark = "[green]ok[/green]  " if check["passed"] else "[red]differs[/red]"
        line(f"  {mark} {escape(check['name'])}")
        if not check["passed"]:
            line(f"      expected {escape(str(check['expected']))}")
            line(f"      found    {escape(str(check['found']))}")
    for kind, ids in report["unresolved"].items():
        more = ", …" if len(ids) > _FEW else ""
        line(f"  [yellow]waits[/yellow]   {kind}: " + escape(", ".join(ids[:_FEW]) + more))
    line("the gate " + ("[green]passed[/green]" if report["passed"] else "[red]did not pass[/red]"))


def _list(title: str, names: Sequence[str]) -> None:
    if names:
        line(f"  {title}: {escape(', '.join(names))}")
