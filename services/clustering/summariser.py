"""A language model that writes about clusters."""

from collections.abc import Sequence

from libs.llm.answers import Model, ask
from libs.llm.chat import ChatFailed, ChatMessage
from libs.llm.reading import Unusable
from services.clustering.domain.asking import question_of, reader_of, system_of
from services.clustering.domain.digest import Subject, Text
from services.clustering.ports.naming import NotWritten

_PICTURE = "One of the examples."


class ModelSummariser:
    """See ports.naming.Summariser."""

    def __init__(self, model: Model, *, sees: bool = False) -> None:
        self._model = model
        self.name = model.name
        self.sees = sees

    async def write(self, subject: Subject, pictures: Sequence[bytes]) -> Text:
        messages = [
            ChatMessage("system", system_of(subject)),
            ChatMessage("user", question_of(subject)),
            *(ChatMessage("user", _PICTURE, picture) for picture in pictures),
        ]
        try:
            return await ask(self._model, messages, reader_of(subject))
        except ChatFailed as error:
            raise NotWritten(str(error)) from error
        except Unusable as error:
            raise NotWritten(f"the language model wrote no summary: {error}") from error
