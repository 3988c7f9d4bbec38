"""Says what a picture shows, by asking a vision language model."""

from libs.errors import Unavailable
from libs.llm.chat import ChatFailed, ChatMessage, ChatModel

_QUESTION = (
    "Describe this photo in one plain sentence for somebody who cannot see it. "
    "Answer with the sentence alone."
)
_LONGEST = 500


class ModelCaptioner:
    """See ``ports.Captioner``."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def caption(self, thumbnail: bytes) -> str:
        """See Captioner."""
        try:
            said = await self._model.answer([ChatMessage("user", _QUESTION, thumbnail)])
        except ChatFailed as error:
            raise Unavailable(str(error)) from error
        text = " ".join(said.split())[:_LONGEST]
        if not text:
            raise Unavailable("the language model answered with nothing")
        return text
