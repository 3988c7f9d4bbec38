"""The catalog works without derived views: it does not even know their word."""

import re
from pathlib import Path

import services.catalog

ROOT = Path(services.catalog.__path__[0])
# The service that tells of embeddings has a name, and the module that listens to it must say it.
OF_A_SERVICE = re.compile(r'"clustering"')


def test_catalog_knows_no_clusters() -> None:
    sources = sorted(ROOT.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        text = source.read_text()
        if source.name == "module.py":
            text = OF_A_SERVICE.sub("", text, count=1)
        assert "cluster" not in text.lower(), source
