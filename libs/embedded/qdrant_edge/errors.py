"""What the edge server refuses, with the status code that a real server uses for it."""

import grpc


class Refused(Exception):
    """A call that fails with this code and message."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def missing(collection: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"Collection `{collection}` doesn't exist!")


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {message}")


def unsupported(what: str) -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"the edge server does not support {what}")
