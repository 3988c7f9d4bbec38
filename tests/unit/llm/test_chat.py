"""What is sent to a language model, what is made of its answers, and what nobody may see."""

import logging
from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from libs.llm.chat import ChatFailed, ChatMessage, ChatModel
from libs.llm.settings import LanguageModelSettings
from tests.support.llm.stand_in import MODEL, StandIn, Step, fails, language_model, says

KEY = "sk-secret"
HELLO = [ChatMessage("user", "hello")]


async def no_wait(_seconds: float) -> None:
    return None


def client(model: StandIn, **settings: object) -> ChatModel:
    given = {"base_url": model.url, "model": MODEL, "api_key": KEY, "timeout": 60.0, **settings}
    return ChatModel(LanguageModelSettings.model_validate(given), sleep=no_wait)


def answers(response: Response) -> Step:
    async def step(_model: StandIn) -> Response:
        return response

    return step


async def test_the_answer_is_the_text_of_the_first_choice() -> None:
    async with language_model([says("hi")], key=KEY) as stand_in, client(stand_in) as model:
        assert await model.answer(HELLO) == "hi"
        assert model.name == MODEL
    assert stand_in.asked[0].body["messages"] == [{"role": "user", "content": "hello"}]


async def test_a_base_address_may_end_in_a_slash() -> None:
    async with (
        language_model([says("hi")], key=KEY) as stand_in,
        client(stand_in, base_url=stand_in.url + "/") as model,
    ):
        assert await model.answer(HELLO) == "hi"


async def test_without_a_key_none_is_sent() -> None:
    async with (
        language_model([says("hi")]) as stand_in,
        client(stand_in, api_key=None) as model,
    ):
        await model.answer(HELLO)
    assert stand_in.asked[0].authorization == ""


async def test_the_key_may_lie_in_a_file_and_change_there(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("wrong\n")
    async with (
        language_model([says("hi")], key=KEY) as stand_in,
        client(stand_in, api_key=None, api_key_file=file) as model,
    ):
        with pytest.raises(ChatFailed, match="refuses its key"):
            await model.answer(HELLO)
        file.write_text(f"{KEY}\n")
        assert await model.answer(HELLO) == "hi"


@pytest.mark.parametrize(
    "answer",
    [
        Response("hello"),
        JSONResponse({"choices": []}),
        JSONResponse(["choices"]),
        JSONResponse({"choices": [{"message": {"content": None}}]}),
    ],
)
async def test_what_is_no_chat_completion_is_told(answer: Response) -> None:
    async with language_model([answers(answer)], key=KEY) as stand_in, client(stand_in) as model:
        with pytest.raises(ChatFailed):
            await model.answer(HELLO)


async def test_after_five_failures_it_is_left_alone() -> None:
    async with language_model([fails(500)] * 8, key=KEY) as stand_in, client(stand_in) as model:
        for _ in range(3):
            with pytest.raises(ChatFailed):
                await model.answer(HELLO)
    assert len(stand_in.asked) == 5


async def test_errors_and_logs_hold_neither_key_nor_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = [fails(503)] * 4
    async with language_model(script, key=KEY) as stand_in, client(stand_in) as model:
        with pytest.raises(ChatFailed) as failed:
            await model.answer([ChatMessage("user", "a private word")])
    told = f"{failed.value!r} {failed.value.__cause__!r} {failed.value.__context__!r} {caplog.text}"
    assert KEY not in told
    assert "private" not in told


def test_settings_name_what_is_missing() -> None:
    with pytest.raises(ValidationError, match="name the model"):
        LanguageModelSettings.model_validate({"base_url": "http://127.0.0.1:1/v1"})
    with pytest.raises(ValidationError, match="either api_key or api_key_file"):
        LanguageModelSettings.model_validate({"api_key": "a", "api_key_file": "b"})
    with pytest.raises(ValidationError):
        LanguageModelSettings.model_validate({"base_url": "file:///etc/passwd", "model": "m"})
    shown = LanguageModelSettings.model_validate({"api_key": KEY})
    assert KEY not in repr(shown)
    assert shown.key() == KEY
