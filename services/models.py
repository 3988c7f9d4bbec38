"""``python -m services.models add PATH …``: checks models that people bring and puts them in place.

Started by ``colonnade models``, to which it speaks JSON: one line with ``result`` or ``error``.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from libs.errors import ColonnadeError, FailedPrecondition, InvalidArgument
from services.embedding.card import ModelCard
from services.embedding.card_file import read_card
from services.embedding.model import EmbedderOptions, Workshop
from services.embedding.opened import open_model
from services.embedding.registry import Listed
from services.embedding.shelf import cards_in, put_on_shelf, shelf_folder
from services.settings import load_settings

FAILED, USAGE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Does what the arguments say; the exit code."""
    arguments = _parse(argv)
    try:
        overrides = {"data": arguments.data} if arguments.data else {}
        settings = load_settings(arguments.config, **overrides)
        folder = shelf_folder(settings.embedding.models, settings.data.absolute())
        if folder is None:
            raise InvalidArgument.of(
                "embedding.models", "is a bucket; put the card and its files there yourself"
            )
        cards = [(path, read_card(path)) for path in _cards(arguments.path)]
        added = [_add(path, card, folder) for path, card in cards]
    except InvalidArgument as error:
        return _refuse(error.reason, error.message, USAGE)
    except ColonnadeError as error:
        return _refuse(error.reason, error.message, FAILED)
    except ValidationError as error:
        wrong = [".".join(map(str, e["loc"])) for e in error.errors(include_input=False)]
        return _refuse("SETTINGS", f"the settings are not usable: {', '.join(wrong)}", USAGE)
    except (OSError, ValueError) as error:
        return _refuse("UNAVAILABLE", str(error), FAILED)
    print(json.dumps({"result": {"models": added}}))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.models", description=__doc__)
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--config", type=Path, help="a TOML file with settings")
    steps = parser.add_subparsers(dest="step", required=True)
    add = steps.add_parser("add")
    add.add_argument("path", type=Path, help="a card, or a folder with cards")
    return parser.parse_args(argv)


def _cards(path: Path) -> list[Path]:
    """The cards that ``path`` stands for."""
    if not path.is_dir():
        return [path]
    found = cards_in(path)
    if not found:
        raise FailedPrecondition(f"there is no model card in {path}", reason="MODEL_NOT_READY")
    return found


def _add(path: Path, card: ModelCard, folder: Path) -> dict[str, Any]:
    """Loads the model where it lies, to see that it works, and copies it."""
    asyncio.run(_tried(Listed(card.id, card, path.parent)))
    return {"name": f"models/{card.id}", "card": str(put_on_shelf(card, path, folder))}


async def _tried(listed: Listed) -> None:
    with closing(Workshop(1)) as workshop:
        async with open_model(listed, EmbedderOptions(), workshop):
            return


def _refuse(reason: str, message: str, code: int) -> int:
    print(json.dumps({"error": {"reason": reason, "message": message}}))
    return code


if __name__ == "__main__":
    sys.exit(main())
