"""How far a backfill has come, kept in a file so that another process can go on."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import UUID, uuid4, uuid5

from libs.errors import InvalidArgument


@dataclass(slots=True)
class BackfillPlan:
    """``scopes`` in their order; ``runs`` by scope as far as they were asked for, ``failed`` with
    what was wrong. The id makes the request ids, so that asking twice makes one run."""

    id: str
    scopes: list[str]
    runs: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, scopes: list[str]) -> "BackfillPlan":
        """A new one."""
        return cls(str(uuid4()), list(dict.fromkeys(scopes)))

    @classmethod
    def read(cls, file: Path) -> "BackfillPlan | None":
        """What is in the file, None if there is none. Raises InvalidArgument."""
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise InvalidArgument.of(str(file), f"is not the file of a backfill: {error}") from None

    def write(self, file: Path) -> None:
        """Puts it into the file, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.partial")
        draft.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        draft.replace(file)

    def left(self) -> list[str]:
        """The scopes that have no run yet, failed ones too."""
        return [scope for scope in self.scopes if scope not in self.runs]

    def request_id(self, scope: str) -> str:
        """The same for a scope each time."""
        return str(uuid5(UUID(self.id), scope))
