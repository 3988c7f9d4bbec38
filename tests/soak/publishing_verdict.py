"""Whether what the database says of posts is what the provider has."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

# A person decides, or knows why it is not out.
_ENDED: Final = frozenset({"posted", "failed", "missed", "needs_review"})
_NOT_OUT: Final = frozenset({"failed", "missed"})
_DEAD: Final = frozenset({"error", "draft"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A publication in the database; ``text`` tells posts apart."""

    text: str
    state: str
    reason: str
    provider_post_id: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A post at the provider."""

    id: str
    text: str
    status: str

    @property
    def is_live(self) -> bool:
        """Whether people see it, or will."""
        return self.status not in _DEAD


@dataclass(slots=True)
class Verdict:
    """What is wrong, by kind; each holds texts of posts. Empty lists are what is promised.

    ``twice``: live more than once. ``lost``: called posted and not there, called failed or missed
    and there, or at the provider without being known here. ``open``: neither resolved nor
    escalated. ``silent``: not out, without a reason.
    """

    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return not (self.twice or self.lost or self.open or self.silent)


def judge(stored: Iterable[Stored], listed: Sequence[Listed]) -> Verdict:
    """Compares the database with the provider."""
    verdict = Verdict()
    live = Counter(post.text for post in listed if post.is_live)
    sent = {post.id: post.text for post in listed if post.status == "sent"}
    verdict.twice = [text for text, count in live.items() if count > 1]
    known = set()
    for publication in stored:
        text, state = publication.text, publication.state
        known.add(text)
        is_out = sent.get(publication.provider_post_id) == text
        if (state == "posted" and not is_out) or (state in _NOT_OUT and live[text]):
            verdict.lost.append(text)
        if state not in _ENDED:
            verdict.open.append(text)
        elif state != "posted" and not publication.reason:
            verdict.silent.append(text)
    verdict.lost += [text for text in live if text not in known]
    return verdict
