"""What listens on this machine is called directly, whatever proxy the environment names."""

import os
from collections.abc import Mapping, MutableMapping

_HERE = ("127.0.0.1", "::1", "localhost")


def call_directly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Adds this machine to the hosts that need no proxy, for this process and its children.

    gRPC, httpx and the clients of object stores all read those, and send what is meant for the
    process beside them to the proxy otherwise, which cannot reach it.
    """
    # Python takes a no_proxy for all that is said of proxies: alone, it would hide those that the
    # settings of a Mac name.
    if not _names_a_proxy(environment):
        return
    named = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host for host in named.replace(",", " ").split() if host not in _HERE]
    if "*" not in hosts:
        environment["no_proxy"] = environment["NO_PROXY"] = ",".join((*hosts, *_HERE))


def _names_a_proxy(environment: Mapping[str, str]) -> bool:
    names = [name.lower() for name, value in environment.items() if value]
    return any(name.endswith("_proxy") and not name.startswith("no_") for name in names)
