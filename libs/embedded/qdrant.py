"""Starts the edge server (``libs.embedded.qdrant_edge``): Qdrant's engine without a Qdrant."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec

from libs.embedded.child import ChildProcess
from libs.embedded.engine import LOOPBACK, Engine
from libs.embedded.errors import EngineError
from libs.embedded.folder import kept_secret


@dataclass(frozen=True, slots=True)
class QdrantAddress:
    """Where a Qdrant answers gRPC, and the key it wants in the ``api-key`` metadata."""

    host: str
    grpc_port: int
    api_key: str

    @property
    def target(self) -> str:
        """``host:port``, as a gRPC channel wants it."""
        return f"{self.host}:{self.grpc_port}"


class QdrantServer(Engine[QdrantAddress]):
    """One edge server over one data folder, on a loopback port, behind a generated key."""

    def _open(self) -> QdrantAddress:
        if find_spec("qdrant_edge") is None:
            raise EngineError(
                "there is no qdrant-edge-py: install colonnade[local], or set the address of a "
                "running Qdrant"
            )
        self._launch(self._child, lambda child: "ready on port" in child.output())
        return self.address

    @property
    def address(self) -> QdrantAddress:
        """Where it answers, once it was started."""
        if self.port is None:
            raise EngineError("the edge server of Qdrant is not started")
        return QdrantAddress(LOOPBACK, self.port, kept_secret(self.data / "api-key"))

    def _child(self, port: int) -> ChildProcess:
        key = self.data / "api-key"
        kept_secret(key)
        return ChildProcess(
            "The edge server of Qdrant",
            [
                *(sys.executable, "-m", "libs.embedded.qdrant_edge"),
                *("--path", self.data, "--port", str(port), "--api-key-file", key),
            ],
            log=self.data / "qdrant-edge.log",
            cwd=self.data,
            keep_open=[self._lock.descriptor],
        )
