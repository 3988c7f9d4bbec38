"""What listens on this machine is called directly, whatever proxy the environment names."""

import os
from collections.abc import MutableMapping

_HERE = ("127.0.0.1", "::1", "localhost")


def call_directly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Adds this machine to the hosts that need no proxy, for this process and its children.

    gRPC, httpx and the clients of object stores all read those, and send what is meant for the
    process beside them to the proxy otherwise, which cannot reach it.
    """
    named = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host for host in named.replace(",", " ").split() if host not in _HERE]
    if "*" not in hosts:
        environment["no_proxy"] = environment["NO_PROXY"] = ",".join((*hosts, *_HERE))
