"""Profiles and the quality of histories as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perreactor_model.profiles.profile import ListenerProfile
from perreactor_model.profiles.quality import REFUSED, HistoryQuality


def quality_lines(quality: HistoryQuality) -> list[str]:
    """What was found in a history: figures, then as sentences what is doubtful and what was done.

    The reasons of a refusal are left to the error.
    """
    known = 15 - sum(name.startswith("AU") for name in quality.unknown)
    lines = [
        f"quality    {quality.verdict}",
        f"face       visible {quality.visible_s:.1f} s of {quality.seconds:.1f} s "
        f"({quality.visible_share:.0%}), longest gap {quality.longest_gap_s:.1f} s",
        f"movement   {quality.mean_variation:.3f} on average, {quality.movement:.2f} at most; "
        f"{known} of 15 action units known",
    ]
    reasons = () if quality.verdict == REFUSED else quality.reasons
    return [*lines, *(f"  - {text}" for text in (*reasons, *quality.notes))]


def made_from(profile: ListenerProfile) -> str:
    """Where a profile comes from, in one line."""
    told = profile.provenance
    if told.get("kind") == "synthetic history":
        return "A made-up listener that came with the bundle: nobody was recorded."
    source, quality = told.get("source"), told.get("quality")
    if not isinstance(source, dict) or not isinstance(quality, dict):
        return "Nothing is known of where this profile comes from."
    length, share = told.get("seconds"), quality.get("visible_share")
    known = isinstance(length, (int, float)) and 0 <= length < 1e9
    seconds = f"{length:.1f} s" if known else "some seconds"
    seen = f", face in view {share:.0%} of the time" if isinstance(share, float) else ""
    return (
        f"From {made_of(profile)}: {seconds} used{seen}; "
        f"quality {quality.get('verdict', 'unknown')}."
    )


def made_of(profile: ListenerProfile) -> str:
    """The name of the file or the topic that a profile was made from."""
    source = profile.provenance.get("source")
    if not isinstance(source, dict):
        return "something unknown"
    told = [str(source[key]) for key in ("file", "topic") if source.get(key)]
    return " ".join(told) or str(source.get("kind", "something unknown"))


def made_when(profile: ListenerProfile) -> str:
    """When, with what, and for which bundle."""
    told = profile.provenance
    when = str(told.get("made", ""))[:10]
    begin = f"Made {when} with {told.get('made_with', 'perreactor')} for" if when else "For"
    return f"{begin} bundle {profile.bundle}."


def verdict_of(provenance: dict[str, Any]) -> str:
    """`ok`, `weak`, or `-` where the profile was not made from a history."""
    quality = provenance.get("quality")
    return str(quality.get("verdict", "-")) if isinstance(quality, dict) else "-"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text in columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
