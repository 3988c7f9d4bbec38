"""The ``colonnade`` command: a client of the suite, and the way to start it."""
