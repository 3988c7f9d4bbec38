"""A vault that seals nothing."""

from libs.signing import Signer


class PlainVault:
    """Turns texts around; knows the ones it was given."""

    def seal(self, text: str) -> str:
        return text[::-1]

    def unseal(self, sealed: str) -> str:
        if sealed == "another secret":
            raise ValueError("sealed with another secret")
        return sealed[::-1]

    def signer(self, purpose: str) -> Signer:
        return Signer(b"of a test", purpose)
