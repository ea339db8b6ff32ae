"""Traits and action units in words."""

from __future__ import annotations

from dataclasses import dataclass

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class TraitWords:
    """How a trait is shown: what it is, how it is counted, the axis, and what having more is.

    `most` ends the axis where all listeners fit; `signed` traits go from -`most` to it and are
    compared by difference, the others by ratio. `does` says in a sentence what somebody does, with
    a place for `more` or `less`, or for those with "much" before them.
    """

    title: str
    meaning: str
    most: float
    form: str
    does: str
    more: str = "more"
    less: str = "less"
    signed: bool = False

    def text(self, value: float) -> str:
        """The value with its unit."""
        return self.form.format(value).replace("-", MINUS)


TRAIT_WORDS = {
    "expressivity": TraitWords(
        "Expressivity", "how much the face moves in all", 0.25, "{:.2f}", "is {} expressive"
    ),
    "valence": TraitWords(
        "Mood of the face", "unpleasant (left) to pleasant (right)", 1.0, "{:+.2f}",
        "looks {}", "happier", "less happy", signed=True,
    ),
    "smile_share": TraitWords(
        "Smiling", "part of the time with a smile", 0.6, "{:.0%}", "smiles {}"
    ),
    "brow_activity": TraitWords(
        "Brows", "how much the brows move", 1.5, "{:.2f} /s", "moves the brows {}"
    ),
    "mouth_activity": TraitWords(
        "Mouth", "opening and closing; high if the person spoke", 1.5, "{:.2f} /s",
        "moves the mouth {}",
    ),
    "head_speed": TraitWords(
        "Head", "how fast the head turns", 30.0, "{:.0f} °/s", "moves the head {}"
    ),
    "nods_per_minute": TraitWords("Nodding", "nods a minute", 40.0, "{:.0f} /min", "nods {}"),
}  # fmt: skip

UNIT_WORDS = {
    "AU1": "inner brows up",
    "AU2": "outer brows up",
    "AU4": "brows drawn down",
    "AU6": "cheeks raised",
    "AU7": "lids tightened",
    "AU9": "nose wrinkled",
    "AU10": "upper lip raised",
    "AU12": "smile",
    "AU14": "dimples",
    "AU15": "mouth corners down",
    "AU17": "chin raised",
    "AU23": "lips tightened",
    "AU24": "lips pressed",
    "AU25": "lips apart",
    "AU26": "jaw dropped",
}

_CLOSE = 0.15
"""A smaller difference, as part of the larger value (of the axis, if signed), is none."""

_FAR = 0.6
"""A larger one is much."""


def signed(value: float) -> str:
    """A number of -1 to 1 with its sign."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", MINUS)  # no -0.00


def against_average(trait: str, value: float, average: float) -> str:
    """`about average`, `more than average`, `much less than average`, ..."""
    words = TRAIT_WORDS[trait]
    step = _step(words, value, average)
    if abs(step) < _CLOSE:
        return "about average"
    return f"{_comparative(words, step)} than average"


def summary(traits: dict[str, float], average: dict[str, float], who: str, whom: str) -> str:
    """The three most telling differences between two, or from the average, in one sentence."""
    steps = {
        trait: _step(TRAIT_WORDS[trait], value, average[trait])
        for trait, value in traits.items()
        if trait in average
    }
    told = sorted(steps, key=lambda each: -abs(steps[each]))[:3]
    phrases = [
        TRAIT_WORDS[trait].does.format(_comparative(TRAIT_WORDS[trait], steps[trait]))
        for trait in told
        if abs(steps[trait]) >= _CLOSE
    ]
    if not phrases:
        return f"{who} is much like {whom}."
    *first, last = phrases
    joined = f"{', '.join(first)} and {last}" if first else last
    return f"{who} {joined} than {whom}."


def _comparative(words: TraitWords, step: float) -> str:
    return f"{'much ' if abs(step) > _FAR else ''}{words.more if step > 0 else words.less}"


def _step(words: TraitWords, value: float, average: float) -> float:
    """How far above (or below) average: a part of the larger of both, or of the axis if signed."""
    if words.signed:
        return (value - average) / words.most
    # What is hardly there in both cases differs by nothing that could be seen.
    return (value - average) / max(abs(value), abs(average), 0.05 * words.most)
