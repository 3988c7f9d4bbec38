"""What is derived from the one secret of an installation."""

import base64
import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from libs.rpc.paging import PageTokens
from libs.signing import Signer

_LEAST_LENGTH = 32


class Secrets:
    """Signs page tokens and seals what must not be readable in the database."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        key = hashlib.sha256(b"seal" + secret).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    @classmethod
    def of_file(cls, path: Path) -> "Secrets":
        """From the file at ``path``; a new one, readable by its owner only, if there is none."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_first(path, secrets.token_hex(32))
        secret = path.read_text().strip()
        if len(secret) < _LEAST_LENGTH:
            raise ValueError(
                f"the secret file {path} holds {len(secret)} characters; it takes at least "
                f"{_LEAST_LENGTH}, such as `openssl rand -hex 32` gives"
            )
        return cls(secret.encode())

    def page_tokens(self) -> PageTokens:
        """The page tokens of this installation; every replica reads every other's."""
        return PageTokens(self._secret)

    def signer(self, purpose: str) -> Signer:
        """Signs texts for one purpose; every replica reads every other's."""
        return Signer(self._secret, purpose)

    def seal(self, text: str) -> str:
        """``text``, encrypted."""
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """What ``seal`` was given. Raises ValueError if the secret is another one now."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ValueError("sealed with another secret; is this the right secret file?") from None


def _write_first(path: Path, text: str) -> None:
    """Writes the file whole, unless another process that starts at the same time did."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    os.unlink(draft)
