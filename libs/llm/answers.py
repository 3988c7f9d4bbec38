"""Asking a language model for something of a form, with one chance to mend the answer."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from libs.llm.chat import ChatMessage
from libs.llm.reading import Unusable

T = TypeVar("T")

# Of an answer that could not be used, this much is shown to the model again.
_SHOWN_AGAIN = 4000


class Model(Protocol):
    """A language model, by its name."""

    @property
    def name(self) -> str: ...

    async def answer(self, messages: Sequence[ChatMessage]) -> str:
        """What it says next. Raises ChatFailed."""


async def ask(model: Model, messages: Sequence[ChatMessage], read: Callable[[str], T]) -> T:
    """What ``read`` makes of the answer; one that it cannot use (Unusable) is sent back once.

    Raises ChatFailed when no answer came, Unusable when the second could not be used either.
    """
    first = await model.answer(messages)
    try:
        return read(first)
    except Unusable as problem:
        again = (
            *messages,
            ChatMessage("assistant", first[:_SHOWN_AGAIN]),
            ChatMessage("user", _repair(problem)),
        )
    return read(await model.answer(again))


def _repair(problem: Unusable) -> str:
    return (
        f"That cannot be used: {problem}. Answer again with the one JSON object and nothing else."
    )
