"""The ``colonnade`` command: a client of the suite, and the way to start it."""

from libs.loopback import call_directly

call_directly()
