"""What is written about a cluster in the background, of what it is made, and its limits."""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MAX_TITLE = 50
MAX_SUMMARY = 300
MAX_ISSUE_TITLE = 72
MAX_ISSUE_BODY = 1200
MAX_EXCERPT = 400
MAX_REPRESENTATIVES = 10
MAX_ERROR = 300
_BULLET = 160

_ELLIPSIS = "…"
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=6)
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_SKIN_TONES = range(0x1F3FB, 0x1F400)


class DigestState(StrEnum):
    """How far the writing is. FALLBACK: a template wrote because the language model failed."""

    PENDING = "pending"
    OK = "ok"
    FALLBACK = "fallback"


class DigestSource(StrEnum):
    """Who wrote it."""

    NOBODY = ""
    MODEL = "model"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Text:
    """What is written about a cluster; issue and repository only where its members are texts."""

    title: str = ""
    summary: str = ""
    issue_title: str = ""
    issue_body: str = ""

    def cut(self) -> "Text":
        """The same within the limits."""
        return Text(
            cut(self.title, MAX_TITLE),
            cut(self.summary, MAX_SUMMARY),
            cut(self.issue_title, MAX_ISSUE_TITLE),
            cut(self.issue_body, MAX_ISSUE_BODY),
        )


@dataclass(frozen=True, slots=True)
class Digest:
    """A text about a cluster and where it comes from.

    ``hash`` is of what it was written from, ``model`` the language model if one wrote it,
    ``error_message`` why a template had to.
    """

    text: Text = Text()
    state: DigestState = DigestState.PENDING
    source: DigestSource = DigestSource.NOBODY
    repository: str = ""
    representatives: tuple[str, ...] = ()
    model: str = ""
    error_message: str = ""
    hash: str = ""
    update_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is written about one representative, ``MAX_EXCERPT`` characters at most.

    ``quotable``: it has sentences of people, not only tags or the path of a file.
    """

    item: str
    text: str
    quotable: bool = True


@dataclass(frozen=True, slots=True)
class Subject:
    """A cluster to be written about: how many ``noun`` it has, the words that they share, and its
    representatives, the most central first."""

    noun: str
    count: int
    title: str
    terms: tuple[str, ...]
    excerpts: tuple[Excerpt, ...]

    @property
    def has_issue(self) -> bool:
        """Whether an issue is to be written about it."""
        return self.noun != "photos"

    def hash(self, writer: str) -> str:
        """Changes with who writes and with the representatives, but not with their order."""
        parts = [writer, *sorted([each.item, each.text] for each in self.excerpts)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def template(subject: Subject) -> Text:
    """What can be said without a language model: the words that members share, and what is written
    about the representatives."""
    shared = _listed(subject.terms)
    about = f" about {shared}" if shared else ""
    lead = f"{subject.count} {subject.noun}{about}."
    quotes = (_first(each.text) for each in subject.excerpts if each.quotable)
    said = list(dict.fromkeys(text for text in quotes if text))
    summary = " ".join([lead, *said[:1]])
    if not subject.has_issue:
        return Text(subject.title, summary).cut()
    bullets = "\n".join(f"- {cut(text, _BULLET)}" for text in said)
    issue_title = said[0] if said else subject.title
    return Text(subject.title, summary, issue_title, f"{lead}\n\n{bullets}".strip()).cut()


def cut(text: str, most: int) -> str:
    """``text`` with at most so many characters; what is cut, is cut on a word, and shows it."""
    text = text.strip()
    if len(text) <= most:
        return text
    end = _end_of_word(text, most - len(_ELLIPSIS))
    return text[:end].rstrip().rstrip(",;:-–—") + _ELLIPSIS


def repository_of(named: Iterable[str]) -> str:
    """The repository that more than half of those that name one name, "" if none is."""
    counts = Counter(name for name in named if name)
    if not counts:
        return ""
    name, count = counts.most_common(1)[0]
    return name if 2 * count > counts.total() else ""


def pause_after(failures: int) -> timedelta:
    """How long a cluster is left alone after so many failures in a row, of the language model or of
    something else: a minute, then twice as long each time, six hours at most."""
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(max(failures - 1, 0), 20)
    return min(doubled, _LONGEST_PAUSE)


def _end_of_word(text: str, room: int) -> int:
    """Where to cut so that ``room`` characters are left at most: behind a word, or where there are
    none, as in one that is too long or in a language that does not part them, behind a sign."""
    for end in range(room, room // 2, -1):
        if text[end].isspace():
            return end
    end = room
    while end > 1 and _belongs_together(text[end - 1], text[end]):
        end -= 1
    return end


def _belongs_together(before: str, after: str) -> bool:
    """Whether two characters are parts of one sign that is drawn."""
    return (
        after in _JOINERS
        or before == "\u200d"
        or unicodedata.category(after).startswith("M")
        or ord(after) in _SKIN_TONES
    )


def _first(text: str) -> str:
    """Its first line, which for texts is the title."""
    return " ".join(text.strip().partition("\n")[0].split())


def _listed(terms: Sequence[str]) -> str:
    """Such as `a, b and c`."""
    if len(terms) < 2:
        return "".join(terms)
    return f"{', '.join(terms[:-1])} and {terms[-1]}"
