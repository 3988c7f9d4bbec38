import json

from colonnade.scheduler.v1.channel_pb2 import Channel
from typer.testing import CliRunner

from cli.main import app


def test_every_provider_of_the_contract_is_explained() -> None:
    shown = CliRunner().invoke(app, ["channels", "providers", "--json"])
    names = [f"PROVIDER_{provider['name'].upper()}" for provider in json.loads(shown.output)]
    assert names == Channel.Provider.keys()[1:]
    for line in CliRunner().invoke(app, ["channels", "providers"]).output.splitlines():
        assert len(line) <= 140
