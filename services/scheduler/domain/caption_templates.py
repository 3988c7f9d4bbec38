"""Captions written without a language model: of what is known about a photo, in a persona's tone.

Deterministic: the same photo, manner and turn give the same drafts.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final

from services.scheduler.domain.manner import EmojiDensity, Length, Manner, Subject, Tone

_DRAWN: Final = 40
_MOST_OBJECTS: Final = 3
_LOW_EVERY: Final = 3


@dataclass(frozen=True, slots=True)
class _Phrases:
    """What a tone has to say: ``openers`` name the subject, ``closers`` stand alone."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]
    emoji: str


_TONES: Final = {
    Tone.CASUAL: _Phrases(
        (
            "{Subject}.",
            "{Subject}, just like that.",
            "Found this one again: {subject}.",
            "A bit of {pillar}: {subject}.",
            "{Subject}. That's the whole story.",
            "Some days it's {subject}.",
            "One for the {pillar} folder: {subject}.",
            "{Subject}, and nothing else to do.",
        ),
        (
            "Not much more to say.",
            "Could have stayed longer.",
            "Still thinking about it.",
            "We'd do it again tomorrow.",
            "It was quieter than it looks.",
            "Worth getting up for.",
            "No plan, as usual.",
            "That's all we needed.",
        ),
        "🙂☕✨🌿",
    ),
    Tone.PROFESSIONAL: _Phrases(
        (
            "{Subject}.",
            "{Pillar}: {subject}.",
            "From our work on {pillar}: {subject}.",
            "In focus: {subject}.",
            "A closer look at {subject}.",
            "{Subject}, seen up close.",
            "This week in {pillar}: {subject}.",
            "What {pillar} looks like here: {subject}.",
        ),
        (
            "Details make the difference.",
            "Made with care, as always.",
            "More of this work follows.",
            "Every step has its reason.",
            "We keep the standard high.",
            "Seen on an ordinary day.",
            "The result speaks for itself.",
            "Good work takes its time.",
        ),
        "📌✔️📷🔎",
    ),
    Tone.PLAYFUL: _Phrases(
        (
            "{Subject}, obviously.",
            "Plot twist: {subject}.",
            "Breaking news: {subject}.",
            "{Subject}? Yes, please.",
            "Meanwhile, {subject}.",
            "Current mood: {subject}.",
            "Nobody asked, but here it is: {subject}.",
            "{Pillar} called. It wants its {subject} back.",
        ),
        (
            "We regret nothing.",
            "Ten out of ten.",
            "Send snacks.",
            "No further questions.",
            "It started it.",
            "Zero chill, as ever.",
            "We had one job.",
            "Science can't explain it.",
        ),
        "😄🎉🙃✨",
    ),
    Tone.INSPIRATIONAL: _Phrases(
        (
            "{Subject}, and room to breathe.",
            "There is light in {subject}.",
            "Take a moment for {subject}.",
            "{Subject}: a small thing that stays.",
            "Look closer: {subject}.",
            "Let {pillar} begin with {subject}.",
            "A quiet gift: {subject}.",
            "{Subject}, one breath at a time.",
        ),
        (
            "Begin where you are.",
            "Small steps count.",
            "Let it be enough for now.",
            "Good things grow slowly.",
            "Keep what gives you strength.",
            "The rest can wait.",
            "Make room for it.",
            "There is always another morning.",
        ),
        "✨🌅🌱💫",
    ),
    Tone.EDGY: _Phrases(
        (
            "{Subject}. Deal with it.",
            "{Subject}, no filter, no excuse.",
            "Not pretty: {subject}.",
            "{Pillar}, the loud version: {subject}.",
            "Hard light on {subject}.",
            "{Subject}. Your move.",
            "Unpolished: {subject}.",
            "{Subject} over small talk.",
        ),
        (
            "Take it or leave it.",
            "Rules were read, then folded.",
            "Comfort is overrated.",
            "Nothing here is an accident.",
            "Still not sorry.",
            "Louder than it looks.",
            "Polite is for later.",
            "That was the easy part.",
        ),
        "🖤⚡🔥🎸",
    ),
}
_CLOSERS: Final = {Length.SHORT: (0, 0), Length.MEDIUM: (1, 2), Length.LONG: (3, 5)}


def drafts(subject: Subject, manner: Manner, turn: int = 0) -> Iterator[str]:
    """Drafts for a photo, all different in their opening while there are openings left.

    ``turn`` draws others for the same photo.
    """
    choice = random.Random(_seed(subject, turn))
    phrases = _TONES[manner.tone]
    sayable = [opener for opener in phrases.openers if _fits(opener, subject, manner)]
    openers = choice.sample(sayable, len(sayable))
    for number in range(_DRAWN):
        opener = openers[number % len(openers)]
        yield _draft(opener, phrases, subject, manner, choice, number)


def first_draft(subject: Subject, manner: Manner) -> str:
    """The first of them."""
    return next(islice(drafts(subject, manner), 1))


def _draft(
    opener: str,
    phrases: _Phrases,
    subject: Subject,
    manner: Manner,
    choice: random.Random,
    number: int,
) -> str:
    about = _about(subject, manner)
    pillar = subject.pillar or "the day"
    parts = [
        opener.format(
            subject=about, Subject=_upper(about), pillar=pillar.lower(), Pillar=_upper(pillar)
        )
    ]
    if manner.length is not Length.SHORT:
        parts += [_sentence(text) for text in (subject.hint, _told(subject, about)) if text]
    elif subject.hint:
        parts.append(_sentence(subject.hint))
    fewest, most = _CLOSERS[manner.length]
    parts += choice.sample(phrases.closers, choice.randint(fewest, most))
    if manner.length is Length.LONG and manner.topics:
        parts.append(f"More about {_listed(manner.topics[:2])} soon.")
    return " ".join(parts) + _emoji(phrases.emoji, manner.emoji, choice, number)


def _fits(opener: str, subject: Subject, manner: Manner) -> bool:
    """Whether it does not say the same twice, where the pillar is all that is known of a photo."""
    says_pillar = "{pillar}" in opener.lower()
    return not says_pillar or _about(subject, manner) != subject.pillar.lower()


def _about(subject: Subject, manner: Manner) -> str:
    """What is on the photo, as part of a sentence."""
    objects = [word for word in subject.objects if not manner.avoids(word)]
    if objects:
        return _listed([word.replace("-", " ") for word in objects[:_MOST_OBJECTS]])
    return (subject.pillar or "a good moment").lower()


def _told(subject: Subject, about: str) -> str:
    """What somebody wrote about the photo, if it says more than its objects."""
    said = subject.caption or subject.alt_text
    return said if said.strip().casefold() != about.casefold() else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    text = _upper(text.strip())
    return text if text[-1:] in ".!?…" else f"{text}."


def _emoji(known: str, density: EmojiDensity, choice: random.Random, number: int) -> str:
    symbols = [symbol for symbol in known if symbol != "\ufe0f"]
    count = {
        EmojiDensity.NONE: 0,
        EmojiDensity.LOW: int(number % _LOW_EVERY == 0),
        EmojiDensity.MODERATE: 1,
        EmojiDensity.HIGH: 3,
    }[density]
    return " " + "".join(choice.sample(symbols, count)) if count else ""


def _seed(subject: Subject, turn: int) -> int:
    return int.from_bytes(sha256(f"{subject.photo} {turn}".encode()).digest()[:8])
