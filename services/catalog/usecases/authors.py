"""Who writes briefs: a language model if there is one, else templates."""

from collections.abc import Sequence
from typing import Any, Protocol

from libs.llm.chat import ChatMessage
from services.catalog.domain.asking import SYSTEM, Unusable, brief_in, question, repair
from services.catalog.domain.brief import Ground
from services.catalog.domain.suggestion import Brief

# Of an answer that could not be used, this much is shown to the model again.
_SHOWN_AGAIN = 4000


class Model(Protocol):
    """A language model, by its name."""

    @property
    def name(self) -> str: ...

    async def answer(self, messages: Sequence[ChatMessage]) -> str:
        """What it says next. Raises ChatFailed."""


async def ask_model(
    model: Model, ground: Ground, inputs: dict[str, Any], refused: Sequence[Brief]
) -> Brief:
    """The brief that the model writes; an answer that is none is sent back once.

    Raises ChatFailed when no answer came, Unusable when the second was no brief either.
    """
    asked = (ChatMessage("system", SYSTEM), ChatMessage("user", question(inputs, refused)))
    first = await model.answer(asked)
    try:
        return brief_in(first, ground)
    except Unusable as problem:
        again = (
            *asked,
            ChatMessage("assistant", first[:_SHOWN_AGAIN]),
            ChatMessage("user", repair(str(problem))),
        )
    return brief_in(await model.answer(again), ground)
