"""Who writes briefs: a language model if there is one, else templates."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from libs.llm.answers import Model, ask
from libs.llm.chat import ChatMessage
from services.catalog.domain.asking import SYSTEM, brief_in, question
from services.catalog.domain.brief import Ground
from services.catalog.domain.suggestion import Brief


async def ask_model(
    model: Model, ground: Ground, inputs: dict[str, Any], refused: Sequence[Brief]
) -> Brief:
    """The brief that the model writes; an answer that is none is sent back once.

    Raises ChatFailed when no answer came, Unusable when the second was no brief either.
    """
    asked = (ChatMessage("system", SYSTEM), ChatMessage("user", question(inputs, refused)))
    return await ask(model, asked, partial(brief_in, ground=ground))
