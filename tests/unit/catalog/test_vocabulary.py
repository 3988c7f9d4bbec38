"""The catalog works without derived views: it does not even know their word.

It is spoken only where libraries of the older shape are migrated, and there a photo that hangs on
a cluster gets a pillar; and as the name of the reference that a run keeps and never looks up.
"""

import re
from pathlib import Path

import services.catalog

ROOT = Path(services.catalog.__path__[0])
MIGRATION = ROOT / "legacy"
# The service that tells of embeddings has a name, and the module that listens to it must say it.
OF_A_SERVICE = re.compile(r'"clustering"')
# Where the reference of a run is kept, told and taken.
OPAQUE = re.compile(r"\bcluster\b")
REFERRING = {
    "0008_candidates.py",
    "events.py",
    "planning.py",
    "run.py",
    "runs.py",
}


def speaks_of_clusters(file: str, text: str) -> bool:
    """Whether a source of the catalog says the word."""
    if file == "module.py":
        text = OF_A_SERVICE.sub("", text, count=1)
    if file in REFERRING:
        text = OPAQUE.sub("", text)
    return "cluster" in text.lower()


def test_catalog_knows_no_clusters() -> None:
    sources = [file for file in sorted(ROOT.rglob("*.py")) if MIGRATION not in file.parents]
    assert len(sources) > 20
    for source in sources:
        assert not speaks_of_clusters(source.name, source.read_text()), source


def test_the_word_is_noticed_when_it_comes_back() -> None:
    tables = (ROOT / "tables" / "library.py").read_text()
    assert speaks_of_clusters("library.py", tables + '\nsa.Column("cluster_id", ID)\n')
    run = (ROOT / "domain" / "run.py").read_text()
    assert speaks_of_clusters("run.py", run + "\n    cluster_id: str\n")
    module = (ROOT / "module.py").read_text()
    assert speaks_of_clusters("module.py", module + '\nlisten("clustering")\n')


def test_nothing_but_its_own_servicer_imports_the_migration() -> None:
    face = {ROOT / "servicers" / "migration.py", ROOT / "module.py"}
    for source in sorted(ROOT.rglob("*.py")):
        if MIGRATION not in source.parents and source not in face:
            assert "services.catalog.legacy" not in source.read_text(), source
