"""What can go wrong with an engine; the messages are meant for the person who started the suite."""


class EngineError(Exception):
    """An engine could not be started, or not be kept running. The message says what to do."""


class FolderInUse(EngineError):
    """Another process works on the same data folder."""
