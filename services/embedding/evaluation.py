"""``python -m services.embedding.evaluation …``: compares models on a folder of labelled photos.

Started by ``colonnade eval embedding``, to which it speaks JSON, a line each: ``progress`` while it
works, then ``result`` or ``error``. It needs no suite, no database and no network. ``plan`` tells
which models and photos there are, ``measure`` measures one model, in a process of its own so that
its memory can be told and that a model that kills its process costs only its own row. ``vectors``
writes the vectors of one model into a file for those who group them.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from libs.errors import ColonnadeError, InvalidArgument
from libs.images import ImageLimits
from services.embedding.labelled import read_labelled
from services.embedding.measuring import measure, vectors_of
from services.embedding.registry import Listed, ModelRegistry
from services.embedding.repository import ModelRepository, StoredModel
from services.embedding.shelf import open_shelf
from services.settings import Settings, load_settings

_PROGRESS_EVERY = 0.2


class Exit(IntEnum):
    """How it ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Does one step; the exit code."""
    arguments = _parse(argv)
    try:
        settings = load_settings(
            arguments.config, **({"data": arguments.data} if arguments.data else {})
        )
        step = _STEPS[arguments.step]
        _say({"result": asyncio.run(step(arguments, settings))})
        return Exit.DONE
    except InvalidArgument as error:
        return _refuse(error.reason, error.message, Exit.USAGE)
    except ColonnadeError as error:
        return _refuse(error.reason, error.message, Exit.FAILED)
    except ValidationError as error:
        wrong = [".".join(map(str, e["loc"])) for e in error.errors(include_input=False)]
        return _refuse("SETTINGS", f"the settings are not usable: {', '.join(wrong)}", Exit.USAGE)
    except (OSError, ValueError) as error:
        return _refuse("UNAVAILABLE", str(error), Exit.FAILED)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.embedding.evaluation")
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--config", type=Path, help="a TOML file with settings")
    photos = argparse.ArgumentParser(add_help=False)
    photos.add_argument("folder", type=Path)
    photos.add_argument("--labels", type=Path, help="a table with the columns file and label")
    photos.add_argument("--model", action="append", default=[], help="the id of a model")
    photos.add_argument("--card", action="append", default=[], type=Path, help="a model card")
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("plan", parents=[photos])
    steps.add_parser("measure", parents=[photos])
    vectors = steps.add_parser("vectors", parents=[photos])
    vectors.add_argument("--to", type=Path, required=True, help="the file to write, .npz")
    return parser.parse_args(argv)


async def _plan(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """What there is to measure. Without a model or card it is every model for photos."""
    photos = await asyncio.to_thread(read_labelled, arguments.folder, arguments.labels)
    return {
        "photos": len(photos),
        "labels": dict(sorted(Counter(photo.label for photo in photos).items())),
        "models": [
            *({"name": id, "measure": ["--model", id]} for id in await _ids(arguments, settings)),
            *({"name": card.stem, "measure": ["--card", str(card)]} for card in arguments.card),
        ],
    }


async def _ids(arguments: argparse.Namespace, settings: Settings) -> list[str]:
    if arguments.card and not arguments.model:
        return []
    listed = await _listed(settings)
    if arguments.model:
        return [_known(listed, id).id for id in arguments.model]
    return [id for id, found in listed.items() if found.image is not None or found.card is None]


async def _measure(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    photos = await asyncio.to_thread(read_labelled, arguments.folder, arguments.labels)
    model = await _model(arguments, settings)
    limits = ImageLimits(settings.embedding.max_bytes, settings.embedding.max_pixels)
    return measure(model, photos, limits, _Progress(model.card.id)).as_dict()


async def _vectors(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    photos = await asyncio.to_thread(read_labelled, arguments.folder, arguments.labels)
    model = await _model(arguments, settings)
    limits = ImageLimits(settings.embedding.max_bytes, settings.embedding.max_pixels)
    kept, vectors, unreadable = vectors_of(model, photos, limits, _Progress(model.card.id))
    np.savez(
        arguments.to,
        ids=[photo.name for photo in kept],
        labels=[photo.label for photo in kept],
        vectors=vectors,
        near_duplicate=model.card.near_duplicate_cosine,
    )
    return {
        "model": model.card.id,
        "photos": len(kept),
        "labels": dict(sorted(Counter(photo.label for photo in kept).items())),
        "unreadable": unreadable,
    }


async def _model(arguments: argparse.Namespace, settings: Settings) -> StoredModel:
    if arguments.card:
        (card,) = arguments.card
        return await asyncio.to_thread(ModelRepository.in_data(settings.data).at, card)
    every = await _listed(settings)
    (id,) = arguments.model or list(every)[:1]
    listed = _known(every, id)
    if listed.error is not None:
        raise listed.error
    if listed.image is None:
        raise InvalidArgument.of("model", f"{listed.id} embeds texts only; name a model for photos")
    await listed.prepare()
    return listed.image


async def _listed(settings: Settings) -> dict[str, Listed]:
    options = {name: value.get_secret_value() for name, value in settings.blobs.options.items()}
    shelf = open_shelf(settings.embedding.models, settings.data, options)
    repository = ModelRepository.in_data(settings.data)
    return await ModelRegistry(repository, shelf, settings.embedding.model_card).scan()


def _known(listed: dict[str, Listed], id: str) -> Listed:
    """The model of that id, with or without ``models/`` in front."""
    found = listed.get(id.removeprefix("models/"))
    if found is None:
        raise InvalidArgument.of(
            "model",
            f"there is no model {id} but {', '.join(listed)}; for another one, name its card",
        )
    return found


_STEPS = {"plan": _plan, "measure": _measure, "vectors": _vectors}


class _Progress:
    """Says a few times a second how far a step has come, and when it is through."""

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._last >= _PROGRESS_EVERY:
            self._last = now
            _say({"progress": {"phase": self._phase, "done": done, "total": total}})


def _refuse(reason: str, message: str, code: Exit) -> int:
    _say({"error": {"reason": reason, "message": message}})
    return code


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
