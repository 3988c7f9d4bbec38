"""``colonnade channels``."""

import os
from dataclasses import asdict
from typing import Annotated, Final

import typer
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.channel_pb2 import Channel

from cli.connection import Suite
from cli.names import below, persona_name
from cli.output import JsonOption, err, last_part, line, print_json, table, word
from cli.providers import PROVIDERS
from cli.run import USAGE, with_suite

_NAMES: Final = ", ".join(provider.name for provider in PROVIDERS)

app = typer.Typer(help="The accounts on which a persona publishes.", no_args_is_help=True)


@app.command("providers")
def list_providers(json: JsonOption = False) -> None:
    """Lists what one needs to connect an account of each provider."""
    if json:
        return print_json([asdict(provider) for provider in PROVIDERS])
    rows = [(p.name, p.account, p.key, p.endpoint) for p in PROVIDERS]
    return table("Providers", ("provider", "ACCOUNT", "key", "--endpoint"), rows)


@app.command("connect")
@app.command("create", hidden=True)
def create(
    persona: str,
    account: Annotated[
        str, typer.Argument(help="The account at the provider; see channels providers.")
    ],
    provider: Annotated[str, typer.Option(help=f"One of {_NAMES}.")] = "buffer",
    channel_id: Annotated[str, typer.Option("--id", help="Its id here.")] = "",
    display_name: Annotated[str, typer.Option(help="What people call it.")] = "",
    endpoint: Annotated[str, typer.Option(help="The provider's address, if not the usual.")] = "",
    token_env: Annotated[
        str, typer.Option(help="The environment variable that holds the provider's key.")
    ] = "COLONNADE_PROVIDER_TOKEN",
    json: JsonOption = False,
) -> None:
    """Connects a channel. The key is read from the environment, so that no history keeps it.

    What each provider wants as account, key and endpoint: colonnade channels
    providers.
    """
    if provider.upper() not in _providers():
        err.print(f"[red]provider[/red]: one of {', '.join(_providers()).lower()}")
        raise typer.Exit(USAGE)
    if token_env not in os.environ:
        err.print(f"[red]token-env[/red]: the environment has no {token_env}; set it to the key")
        raise typer.Exit(USAGE)
    channel = Channel(
        display_name=display_name,
        provider=Channel.Provider.Value(f"PROVIDER_{provider.upper()}"),
        endpoint=endpoint,
        provider_channel_id=account,
        access_token=os.environ[token_env],
    )
    request = scheduler.CreateChannelRequest(
        parent=persona_name(persona), channel_id=channel_id, channel=channel
    )
    made = with_suite(lambda suite: suite.scheduler.CreateChannel(request))
    print_json(made) if json else line(f"connected [bold]{made.name}[/bold] ({made.service})")


def _providers() -> list[str]:
    return [name.removeprefix("PROVIDER_") for name in Channel.Provider.keys()[1:]]


@app.command("list")
def list_channels(persona: str, json: JsonOption = False) -> None:
    """Lists the channels of a persona."""
    channels = with_suite(lambda suite: all_channels(suite, persona_name(persona)))
    if json:
        return print_json(channels)
    table(
        f"Channels of {persona_name(persona)}",
        ("channel", "name", "provider", "service", "state"),
        [
            (
                last_part(c.name),
                c.display_name,
                word(Channel.Provider, c.provider),
                c.service,
                _health(c),
            )
            for c in channels
        ],
    )
    return None


def _health(channel: Channel) -> str:
    state = word(Channel.State, channel.state)
    if channel.state_reason:
        return f"{state}: {channel.state_reason}"
    if channel.HasField("token_expire_time"):
        return f"{state}, key until {channel.token_expire_time.ToDatetime():%Y-%m-%d}"
    return state


async def all_channels(suite: Suite, parent: str) -> list[Channel]:
    """Every channel of a persona, page by page."""
    found: list[Channel] = []
    token = ""
    while True:
        page = await suite.scheduler.ListChannels(
            scheduler.ListChannelsRequest(parent=parent, page_size=200, page_token=token)
        )
        found.extend(page.channels)
        token = page.next_page_token
        if not token:
            return found


@app.command()
def update(
    persona: str,
    channel: str,
    display_name: Annotated[str, typer.Option(help="What people call it.")] = "",
    token_env: Annotated[
        str, typer.Option(help="The environment variable that holds a new key of the provider.")
    ] = "",
    approval: Annotated[
        bool | None,
        typer.Option("--approval/--no-approval", help="Whether posts must be approved first."),
    ] = None,
    repeat_window: Annotated[
        int | None,
        typer.Option(help="Days that copies of a picture are apart; 0 for never mind.", min=0),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Changes the name, approvals, distance of copies or key of a channel.

    A new key is tried first, and replaces the old one if it works.
    """
    if token_env and not os.environ.get(token_env):
        err.print(f"[red]token-env[/red]: the environment has no {token_env}; set it to the key")
        raise typer.Exit(USAGE)
    changed = Channel(
        name=below(persona_name(persona), "channels", channel),
        display_name=display_name,
        access_token=os.environ[token_env] if token_env else "",
    )
    given = {"display_name": display_name, "access_token": token_env}
    paths = [name for name, value in given.items() if value]
    if approval is not None:
        changed.approval_required = approval
        paths.append("approval_required")
    if repeat_window is not None:
        changed.repeat_window_days = repeat_window
        paths.append("repeat_window_days")
    request = scheduler.UpdateChannelRequest(channel=changed)
    request.update_mask.paths.extend(paths)
    found = with_suite(lambda suite: suite.scheduler.UpdateChannel(request))
    show_channel(found, json)


@app.command()
def pause(persona: str, channel: str, json: JsonOption = False) -> None:
    """Stops publishing on a channel; what comes due waits, and is missed after a day."""
    request = scheduler.PauseChannelRequest(name=below(persona_name(persona), "channels", channel))
    show_channel(with_suite(lambda suite: suite.scheduler.PauseChannel(request)).channel, json)


@app.command()
def resume(persona: str, channel: str, json: JsonOption = False) -> None:
    """Publishes on a paused channel again."""
    request = scheduler.ResumeChannelRequest(name=below(persona_name(persona), "channels", channel))
    show_channel(with_suite(lambda suite: suite.scheduler.ResumeChannel(request)).channel, json)


def show_channel(channel: Channel, json: bool) -> None:
    """A channel and its state."""
    state = word(Channel.State, channel.state)
    print_json(channel) if json else line(f"[bold]{channel.name}[/bold]: {state}")


@app.command()
def delete(persona: str, channel: str) -> None:
    """Deletes a channel on which nothing waits."""
    name = below(persona_name(persona), "channels", channel)
    request = scheduler.DeleteChannelRequest(name=name)
    with_suite(lambda suite: suite.scheduler.DeleteChannel(request))
    line(f"deleted [bold]{name}[/bold]")
