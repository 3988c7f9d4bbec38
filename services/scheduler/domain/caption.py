"""Captions: what is taken out of them, how long they get, and how well they suit a persona."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, pairwise
from typing import Final

from libs.text.words import words
from services.scheduler.domain.manner import MAX_CAPTION, EmojiDensity, Length, Manner

# Of the latest posts, so many are not to be repeated, in runs of so many words.
RECENT: Final = 20
_RUN: Final = 3
_OFTEN: Final = 2

# Characters that a caption of each length has, about.
TARGETS: Final = {Length.SHORT: 70, Length.MEDIUM: 180, Length.LONG: 450}
_MOST_EMOJI: Final = {
    EmojiDensity.NONE: 0,
    EmojiDensity.LOW: 1,
    EmojiDensity.MODERATE: 2,
    EmojiDensity.HIGH: 8,
}
_LEAST_EMOJI: Final = {EmojiDensity.MODERATE: 1, EmojiDensity.HIGH: 3}
_LENGTH_WEIGHT, _EMOJI_WEIGHT, _FRESH_WEIGHT = 0.6, 0.1, 0.3

# A picture or symbol with all that modifies it: flags of two letters, joined and coloured ones.
# Digits, # and * are emoji to Unicode only with a keycap behind them, and are none here.
_PICTURE: Final = (
    "[\U0001f300-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u231a\u231b\u23e9-\u23f3\u2194-\u21aa]"
)
_MODIFIER: Final = "[\ufe0f\U0001f3fb-\U0001f3ff]"
EMOJI: Final = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTURE}{_MODIFIER}*(?:\u200d{_PICTURE}{_MODIFIER}*)*"
)
# Where a sentence ends, with the quotation marks and brackets behind it.
_END: Final = re.compile(r"[.!?…]+[\"'”’)]*(?=\s|$)")
_BAIT: Final = re.compile(
    r"\b(?:"
    r"like (?:and|&|or) (?:share|follow|comment|save)|(?:smash|hit) (?:that |the )?like"
    r"|like if you|like this if|double[- ]tap"
    r"|tag (?:a|an|your|some|two|three|\d+) ?(?:friend|friends|one|someone|somebody|people|bestie)"
    r"|tag (?:someone|somebody)"
    r"|(?:comment|drop|leave|type) (?:a |an |your |some |below|yes|in the comments)"
    r"|follow (?:me |us )?for (?:more|daily|part)|don'?t forget to (?:like|follow|share)"
    r"|share (?:this|it) (?:with|if|to)|save this (?:post|for later)|link in (?:my |the )?bio"
    r"|who else|turn on (?:post )?notifications|follow (?:for|4) follow|f4f|l4l"
    r")\b",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"#\w+")
# What is longer than that is no draft of a caption; looking at it would take its time.
_MOST_LOOKED_AT: Final = 4 * MAX_CAPTION
_QUOTES: Final = {'"': '"', "“": "”", "'": "'", "„": "“"}
_BLANKS: Final = re.compile(r"[^\S\n]+")
_BREAKS: Final = re.compile(r" *\n(?: *\n)+ *")


class Source(StrEnum):
    """Who wrote a caption."""

    MODEL = "model"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Written:
    """A proposed caption: how well it suits, 0..1, and who wrote it; ``model`` is its name."""

    text: str
    score: float
    source: Source
    model: str = ""


def polished(text: str, manner: Manner) -> str:
    """A draft in the form in which it may go out; empty if nothing of it may.

    Without quotation marks around it, hashtags at its end (posts keep those apart), begging for
    attention, sentences about what the persona avoids, and emoji beyond its density; not longer
    than its longest caption, cut after a sentence or else a word.
    """
    text = _BREAKS.sub("\n\n", _BLANKS.sub(" ", text[:_MOST_LOOKED_AT])).strip()
    text = _without_tags_at_end(_unquoted(text))
    text = "".join(part for part in sentences(text) if not _unwanted(part, manner)).strip()
    return shortened(_with_fewer_emoji(text, _MOST_EMOJI[manner.emoji]), manner.max_length)


def sentences(text: str) -> list[str]:
    """The sentences of a text with the white space before them; together they are the text."""
    ends = [match.end() for match in _END.finditer(text)]
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    return [text[start:end] for start, end in pairwise([0, *ends])]


def shortened(text: str, most: int) -> str:
    """At most ``most`` characters of ``text``: whole sentences, or words if the first is longer."""
    if len(text) <= most:
        return text
    kept = ""
    for sentence in sentences(text):
        if len(kept + sentence) > most:
            break
        kept += sentence
    if kept.strip():
        return kept.strip()
    cut = text[: max(most - 1, 0)]
    # A text without a blank is cut where it has to be.
    whole = cut if text[len(cut) : len(cut) + 1].isspace() else cut.rpartition(" ")[0] or cut
    return whole.rstrip(" ,;:–-\n") + "…"


def count_emoji(text: str) -> int:
    """How many emoji a text has; a flag or a joined one is one."""
    return len(EMOJI.findall(text))


def repeated_runs(captions: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """The runs of three words that occur twice or more in the latest captions, newest first."""
    found = Counter(run for text in islice(captions, RECENT) for run in _runs(text))
    return frozenset(run for run, count in found.items() if count >= _OFTEN)


def repeats(text: str, worn: Collection[tuple[str, ...]]) -> int:
    """How many of the worn runs a text has."""
    return sum(run in worn for run in set(_runs(text)))


def score_of(text: str, manner: Manner, worn: Collection[tuple[str, ...]]) -> float:
    """How well a caption suits: how near its length is to the usual one, its emoji, its freshness.

    0..1; a caption of half the usual length or twice of it has half of the share for length.
    """
    target = min(TARGETS[manner.length], manner.max_length)
    length = min(len(text), target) / max(len(text), target, 1)
    emoji = count_emoji(text)
    fits = _LEAST_EMOJI.get(manner.emoji, 0) <= emoji <= _MOST_EMOJI[manner.emoji]
    fresh = 1 / (1 + repeats(text, worn))
    score = _LENGTH_WEIGHT * length + _EMOJI_WEIGHT * fits + _FRESH_WEIGHT * fresh
    return round(score, 3)


def best(
    drafts: Iterable[tuple[str, Source, str]],
    manner: Manner,
    worn: Collection[tuple[str, ...]],
    count: int,
) -> list[Written]:
    """The best of several drafts (text, who wrote it, its model), each another text.

    Those that repeat worn runs come after all others.
    """
    found: dict[str, Written] = {}
    for draft, source, model in drafts:
        text = polished(draft, manner)
        if text and text.casefold() not in found:
            score = score_of(text, manner, worn)
            found[text.casefold()] = Written(text, score, source, model)
    ranked = sorted(found.values(), key=lambda w: (repeats(w.text, worn) > 0, -w.score, w.text))
    return ranked[:count]


def _without_tags_at_end(text: str) -> str:
    text = text.strip()
    while (cut := text.rfind("#")) >= 0 and _TAG.fullmatch(text, cut):
        text = text[:cut].rstrip()
    return text


def _runs(text: str) -> Iterable[tuple[str, ...]]:
    found = words(text)
    return zip(*(found[start:] for start in range(_RUN)), strict=False)


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[:1])
    if closing is None or len(text) < 2 or not text.endswith(closing) or closing in text[1:-1]:
        return text
    return text[1:-1].strip()


def _unwanted(sentence: str, manner: Manner) -> bool:
    return bool(_BAIT.search(sentence)) or manner.avoids(sentence)


def _with_fewer_emoji(text: str, most: int) -> str:
    found = list(EMOJI.finditer(text))
    for match in reversed(found[most:]):
        before, after = text[: match.start()], text[match.end() :]
        text = (before if after[:1].isalnum() else before.rstrip(" ")) + after
    return text.strip()
