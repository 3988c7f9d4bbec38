import os
from pathlib import Path

import pytest

from libs.embedded.errors import EngineError
from libs.embedded.postgres_binaries import RunAs, choose_user, find_postgres


def test_the_newest_of_the_wheel_comes_first(tmp_path: Path) -> None:
    found = find_postgres(tmp_path / "cluster")

    assert found.major >= 18
    assert found.initdb.is_file() and found.postgres.is_file()


def test_an_existing_cluster_decides_the_version(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")

    with pytest.raises(EngineError, match=r"made by PostgreSQL 9, found here: \[.*18"):
        find_postgres(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root has to give its rights up")
def test_a_plain_user_runs_it_as_itself(tmp_path: Path) -> None:
    assert choose_user(find_postgres(tmp_path / "cluster"), tmp_path) == RunAs()
