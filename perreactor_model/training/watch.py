"""Looks at a run so that it does not go wrong silently: stops at NaN, warns of a lost judge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


class TrainingStopped(ValueError):
    """A run that cannot go on. The message says when, why, and what to try."""


ALL_KNOWN, NONE_KNOWN = 0.98, 0.52
"""Balanced accuracy above which a discriminator tells the generator nothing, below which it knows
nothing."""

_LINES = 10
"""Lines of the log in a row before it is called a collapse: the first steps are like that."""

_SIDES = {
    "D_R": ("realism_real", "realism_generated"),
    "D_A": ("appropriate_real", "appropriate_generated"),
}


def accuracies(told: Mapping[str, float]) -> dict[str, float]:
    """Balanced accuracy on real and generated reactions of each discriminator that took part."""
    return {
        name: (told[real] + told[generated]) / 2
        for name, (real, generated) in _SIDES.items()
        if real in told
    }


def refuse_nonfinite(step: int, values: Mapping[str, float], precision: str) -> None:
    """Raises TrainingStopped if a loss or a norm of gradients is NaN or infinite."""
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if not broken:
        return
    named = ", ".join(f"{name} is {values[name]}" for name in broken)
    advice = [
        "lower optimiser.lr and optimiser.discriminator_lr (a tenth, say)",
        "keep optimiser.clip above 0",
        "look for NaN in the data with `perreactor validate`",
    ]
    if precision != "32":
        advice.insert(0, "try loop.precision=32")
    raise TrainingStopped(
        f"step {step}: {named}. Nothing of it was saved: the last checkpoint is sound. "
        f"Go on from it with --resume and other options: {'; '.join(advice)}"
    )


@dataclass
class JudgeWatch:
    """Warns once when a discriminator has known everything, or nothing, for a while."""

    lines: int = _LINES
    _since: dict[tuple[str, str], int] = field(default_factory=dict)

    def look(self, told: Mapping[str, float]) -> list[str]:
        """Warnings after another line of the log; `told` as the stages name their shares."""
        warnings = []
        for judge, accuracy in accuracies(told).items():
            for state, there in (
                ("all", accuracy > ALL_KNOWN),
                ("none", accuracy < NONE_KNOWN),
            ):
                count = self._since.get((judge, state), 0) + 1 if there else 0
                self._since[judge, state] = count
                if count == self.lines:
                    warnings.append(_advice(judge, state, accuracy))
        return warnings

    def state(self) -> dict[str, int]:
        """What `load` takes."""
        return {f"{judge} {state}": count for (judge, state), count in self._since.items()}

    def load(self, state: Mapping[str, int]) -> None:
        """Go on counting where another stopped."""
        for name, count in state.items():
            judge, _, kind = name.partition(" ")
            self._since[judge, kind] = count


def _advice(judge: str, state: str, accuracy: float) -> str:
    share = f"{100 * accuracy:.0f} %"
    if state == "all":
        helps = (
            "discriminator.instance_noise or discriminator.label_smoothing higher, or "
            if judge == "D_R"
            else "data.inappropriate higher, or "
        )
        return (
            f"{judge} knows {share} of real and generated reactions apart, so it has little left "
            f"to teach. Try {helps}optimiser.discriminator_lr lower"
        )
    helps = "a lower discriminator.instance_noise, or " if judge == "D_R" else ""
    return (
        f"{judge} knows only {share}, as if it guessed: it has collapsed, or the generator has "
        f"won. Try {helps}optimiser.discriminator_lr higher; see whether reactions look alive"
    )
