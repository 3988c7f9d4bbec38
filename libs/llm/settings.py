"""Which language model is asked, and how."""

from pathlib import Path

from pydantic import Field, SecretStr, model_validator

from libs.settings import Part


class LanguageModelSettings(Part):
    """A language model behind an OpenAI-compatible endpoint (Ollama, vLLM, a hosted one). Unset:
    texts are made of templates, and nothing leaves this machine."""

    base_url: str | None = Field(None, pattern=r"^https?://[^\s]+$")
    """Where its API begins, such as `http://127.0.0.1:11434/v1`."""

    model: str = ""
    """The model to ask, by the name that the endpoint gives it."""

    api_key: SecretStr | None = None
    """The key of the endpoint, if it wants one."""

    api_key_file: Path | None = None
    """A file that holds the key, in place of `api_key`."""

    timeout: float = Field(60.0, gt=0, le=600)
    """Seconds for one answer, from connecting to the last byte."""

    temperature: float = Field(0.8, ge=0, le=2)
    """How freely it writes."""

    max_tokens: int = Field(900, ge=64, le=32768)
    """The longest answer, in tokens."""

    @model_validator(mode="after")
    def _complete(self) -> "LanguageModelSettings":
        if self.base_url and not self.model:
            raise ValueError("model: name the model to ask at base_url")
        if self.api_key and self.api_key_file:
            raise ValueError("api_key_file: give either api_key or api_key_file")
        return self

    def key(self) -> str:
        """The key, or nothing. Raises OSError if its file cannot be read."""
        if self.api_key_file:
            return self.api_key_file.read_text().strip()
        return self.api_key.get_secret_value() if self.api_key else ""


class VisionModelSettings(LanguageModelSettings):
    """A model that can see, behind an OpenAI-compatible endpoint. Unset: photos get no captions,
    and nothing leaves this machine."""
