"""The rule that no idea comes twice."""

from collections.abc import Iterable

from libs.text.similarity import Texts

# The cosine (libs.text.similarity) from which on two prompts count as one.
SAME = 0.92
# The same against what was turned down: nobody wants to see half of it again.
TOO_NEAR_REJECTED = 0.80


class Repetition:
    """What a new prompt is held against: earlier ones of its pillar, and those turned down."""

    def __init__(self, earlier: Iterable[str], rejected: Iterable[str]) -> None:
        self._earlier = Texts(earlier)
        self._rejected = Texts(rejected)

    def add(self, prompt: str) -> None:
        """One more that the next are held against."""
        self._earlier.add(prompt)

    def nearness(self, prompt: str) -> float:
        """The part of what is allowed that ``prompt`` comes near others; 1 and more is too near."""
        return max(
            self._earlier.closest(prompt) / SAME,
            self._rejected.closest(prompt) / TOO_NEAR_REJECTED,
        )

    def refuses(self, prompt: str) -> bool:
        """Whether it repeats one of them."""
        return self.nearness(prompt) >= 1
