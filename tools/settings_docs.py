"""Writes docs/configuration.md from the settings themselves: ``python -m tools.settings_docs``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from libs.settings import ENV_PREFIX
from services.settings import Settings

FILE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

HEAD = """# Configuration

Every setting has a default that runs on a laptop. The environment wins over a file
(`--config suite.toml`), the file over the defaults. Names nest with two underscores:
`catalog.max_pixels` is `COLONNADE_CATALOG__MAX_PIXELS`, and in a file

```toml
[catalog]
max_pixels = 100_000_000
```

An unknown name or a wrong value ends the process with exit code 2 and a message that names it.
`python -m services --print-config` shows what differs from the defaults, secrets masked;
`--check-config` checks the settings and ends.

Ports: gRPC listens on 50051 in one process, else on 50051 (catalog), 50052 (embedding), 50053
(clustering) and 50054 (scheduler). HTTP listens on 8080 in `all` and `gateway`; other targets serve
`/healthz`, `/readyz` and `/metrics` once `http.port` is set.

The `colonnade` command reads `COLONNADE_ADDRESS` (default `127.0.0.1:50051`; one service elsewhere:
`COLONNADE_PEERS__CATALOG` and so on) and `COLONNADE_API_KEY`.

This page is made from the code by `python -m tools.settings_docs`.
"""


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    parts += _section("", "The suite", Settings)
    for name, part in _parts(Settings):
        parts += _section(name, (part.__doc__ or "").strip().split("\n")[0], part)
    return "\n".join(parts)


def _section(path: str, text: str, model: type[BaseModel]) -> list[str]:
    rows = list(_rows(path, model))
    title = f"`{path}`" if path else "The whole process"
    body = ["", text] if path else []
    table = ["", "| setting | default | meaning |", "|---|---|---|", *rows] if rows else []
    return ["", f"## {title}", *body, *table]


def _parts(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        if (part := _model(field)) is not None:
            yield name, part


def _rows(path: str, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if (part := _model(field)) is not None:
            if path:
                yield from _rows(f"{path}.{name}", part)
            continue
        dotted = f"{path}.{name}" if path else name
        variable = ENV_PREFIX + dotted.replace(".", "__").upper()
        meaning = " ".join((field.description or "").split())
        yield f"| `{dotted}`<br>`{variable}` | {_default(field)} | {meaning} |"


def _model(field: FieldInfo) -> type[BaseModel] | None:
    kinds = (field.annotation, *get_args(field.annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value in (None, PydanticUndefined, {}):
        return ""
    return "(secret)" if isinstance(value, SecretStr) else f"`{value}`"


def main() -> None:
    """Writes the page; with ``--check`` only says whether it is up to date, by its exit code."""
    if "--check" in sys.argv:
        sys.exit(FILE.read_text() != render() + "\n")
    FILE.write_text(render() + "\n")


if __name__ == "__main__":
    main()
