"""``colonnade keys``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.names import split_list
from cli.output import err, line
from cli.run import USAGE
from libs.rpc.auth import new_key, read_keys
from libs.rpc.contracts import SERVICES
from libs.rpc.policy import PUBLIC, methods_of, policy_of

app = typer.Typer(help="API keys, for suites that others can reach.", no_args_is_help=True)


@app.command()
def create(
    holder: Annotated[str, typer.Argument(help="Who will hold it.")],
    file: Annotated[Path, typer.Option(help="The keys file of the suite.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do, such as catalog.read or *.")
    ] = None,
) -> None:
    """Makes a key, prints it once, and adds its hash to the keys file."""
    if not holder.replace("-", "").isalnum():
        err.print("[red]holder[/red]: use letters, digits and hyphens")
        raise typer.Exit(USAGE)
    scopes = split_list(scope or ["*"])
    known = known_scopes()
    if unknown := sorted(set(scopes) - {*known, "*"}):
        err.print(
            f"[red]scope[/red]: there is no {escape(', '.join(unknown))}; "
            f"there are *, {', '.join(sorted(known))}"
        )
        raise typer.Exit(USAGE)
    text, key = new_key(holder, scopes)
    if not file.exists():
        file.touch(mode=0o600)
    with file.open("a") as lines:
        lines.write(key.line() + "\n")
    typer.echo(text)
    err.print(
        f"Keep it: only its hash is in {file}. Restart the suite to make it count.", markup=False
    )


def known_scopes() -> set[str]:
    """What methods ask for, and ``catalog.*`` for all that begin so."""
    contracts = (contract for contracts in SERVICES.values() for contract in contracts)
    asked = {policy_of(method).scope for method in methods_of(contracts)} - {PUBLIC}
    return asked | {f"{scope.partition('.')[0]}.*" for scope in asked}


@app.command("list")
def list_keys(file: Annotated[Path, typer.Option(help="The keys file of the suite.")]) -> None:
    """Lists who holds a key and what it may do."""
    for key in read_keys(file):
        line(f"{key.holder}: {', '.join(sorted(key.scopes))}")
