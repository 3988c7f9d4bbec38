"""A small server of Qdrant's gRPC contract over ``qdrant-edge-py``, its engine as a library.

It runs as a process of its own because the engine holds Python's global lock while it writes to
disk or builds an index, and because its folder belongs to one process at a time. Only what
``libs.vectors`` and a plain client need is served; the rest answers UNIMPLEMENTED.
"""
