"""The collections in one data folder, and the other names they go by."""

import json
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import grpc

from libs.embedded.folder import write_private
from libs.embedded.qdrant_edge.collection import Collection
from libs.embedded.qdrant_edge.errors import Refused, invalid, missing

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class Store:
    """``collections/<name>/`` holds one shard each, ``aliases.json`` maps alias to name."""

    def __init__(self, path: Path) -> None:
        self._folder = path / "collections"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._alias_file = path / "aliases.json"
        self._changing = threading.Lock()
        self._collections = self._load()
        self._aliases: dict[str, str] = (
            json.loads(self._alias_file.read_text()) if self._alias_file.exists() else {}
        )

    def _load(self) -> dict[str, Collection]:
        for leftover in self._folder.glob(".*"):
            shutil.rmtree(leftover)
        folders = sorted(self._folder.iterdir())
        return {folder.name: Collection(folder.name, folder) for folder in folders}

    @property
    def collections(self) -> list[Collection]:
        return list(self._collections.values())

    @property
    def aliases(self) -> Mapping[str, str]:
        """Collection name by alias."""
        return self._aliases

    def exists(self, name: str) -> bool:
        return self._aliases.get(name, name) in self._collections

    def get(self, name: str) -> Collection:
        """By name or alias. Raises ``Refused`` (NOT_FOUND)."""
        collection = self._collections.get(self._aliases.get(name, name))
        if collection is None:
            raise missing(name)
        return collection

    def create(self, name: str, dimension: int, distance: str) -> None:
        """Raises ``Refused`` for a name that is taken or does not fit, or a dimension of 0."""
        if not NAME.fullmatch(name):
            raise invalid(f"`{name}` is no collection name: letters, digits, - . _, at most 128")
        if not 0 < dimension <= 65536:
            raise invalid(f"a vector has 1 to 65536 dimensions, not {dimension}")
        with self._changing:
            if self.exists(name):
                message = f"Wrong input: Collection `{name}` already exists!"
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, message)
            folder = self._folder / name
            self._collections[name] = Collection.create(name, folder, dimension, distance)

    def delete(self, name: str) -> bool:
        """Drops the collection and its aliases; False if there is none of that name."""
        with self._changing:
            collection = self._collections.pop(name, None)
            if collection is None:
                return False
            self._save_aliases({a: c for a, c in self._aliases.items() if c != name})
            collection.close()
            trash = collection.folder.with_name(f".{name}.old")
            collection.folder.rename(trash)
            shutil.rmtree(trash)
            return True

    def point_alias(self, alias: str, collection: str) -> None:
        with self._changing:
            if collection not in self._collections:
                raise missing(collection)
            if alias in self._collections:
                raise invalid(f"`{alias}` is the name of a collection")
            self._save_aliases({**self._aliases, alias: collection})

    def delete_alias(self, alias: str) -> None:
        with self._changing:
            self._save_aliases({a: c for a, c in self._aliases.items() if a != alias})

    def _save_aliases(self, aliases: dict[str, str]) -> None:
        write_private(self._alias_file, json.dumps(aliases, indent=2))
        self._aliases = aliases

    def tend(self, now: float) -> None:
        for collection in self.collections:
            collection.tend(now)

    def close(self) -> None:
        for collection in self.collections:
            collection.close()
