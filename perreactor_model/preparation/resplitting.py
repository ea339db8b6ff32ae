"""Splits that keep people apart: who is trained on is never tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from perreactor_model.corpora.recordings import Corpus, Recording, SplitIndex
from perreactor_model.preparation.prepared import PreparedError

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
"""Of the pairs, as in REACT 2025."""


def check_apart(splits: Mapping[str, SplitIndex]) -> None:
    """Raises PreparedError where somebody is in two splits, naming the first few."""
    found: dict[str, set[str]] = {}
    for name, split in splits.items():
        for recording in split.recordings:
            found.setdefault(recording.identity, set()).add(name)
    twice = sorted(who for who, names in found.items() if len(names) > 1)
    if twice:
        shown = ", ".join(f"{who} ({', '.join(sorted(found[who]))})" for who in twice[:5])
        raise PreparedError(
            f"{len(twice)} people are in more than one split: {shown}"
            f"{', ...' if twice[5:] else ''}. What is tested on them was trained on them: prepare "
            "with splits=by-identity"
        )


def by_identity(corpus: Corpus) -> Corpus:
    """The same pairs in splits of which no two share a person, 60/20/20 as near as that allows.

    People who talked to each other stay together. The same corpus gives the same splits. The
    matrices of the corpus's own splits say nothing across them, so they are dropped. Raises
    PreparedError with fewer than three groups of people.
    """
    pairs = [
        (split, number, way)
        for split in corpus.splits.values()
        for number, way in _listed(corpus, split)
    ]
    groups = _groups([_people(split, number) for split, number, _ in pairs])
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    places = _assigned(sizes)
    chosen: dict[str, list[tuple[SplitIndex, int, int]]] = {name: [] for name in SHARES}
    for pair, group in zip(pairs, groups, strict=True):
        chosen[places[group]].append(pair)
    keys = [each.key for split in corpus.splits.values() for each in split.recordings]
    prefixed = len(set(keys)) < len(keys)
    return replace(
        corpus, splits={name: _gathered(name, took, prefixed) for name, took in chosen.items()}
    )


def _listed(corpus: Corpus, split: SplitIndex) -> list[tuple[int, int]]:
    """Pairs with 0, or with 1 for those that are listed pairs with roles changed."""
    half = len(split.pairs) // 2 if corpus.layout == "react2024" else len(split.pairs)
    return [(number, int(number >= half)) for number in range(len(split.pairs))]


def _people(split: SplitIndex, pair: int) -> tuple[str, str]:
    speaker, listener = split.pairs[pair]
    return split.recordings[speaker].identity, split.recordings[listener].identity


def _groups(dyads: list[tuple[str, str]]) -> list[str]:
    """For each dyad, a name shared by all dyads that are connected by people."""
    leader: dict[str, str] = {}

    def find(who: str) -> str:
        while leader.setdefault(who, who) != who:
            leader[who] = leader[leader[who]]
            who = leader[who]
        return who

    for one, other in dyads:
        first, second = sorted((find(one), find(other)))
        leader[second] = first
    return [find(one) for one, _ in dyads]


def _assigned(sizes: Mapping[str, int]) -> dict[str, str]:
    if len(sizes) < len(SHARES):
        raise PreparedError(
            f"all people of this corpus are connected to {len(sizes)} groups by talking to each "
            "other: three are needed to keep the splits apart"
        )
    largest = sorted(sizes, key=lambda group: (-sizes[group], group))
    places = {largest[0]: "train", largest[-1]: "val", largest[-2]: "test"}
    total = sum(sizes.values())
    lacking = {name: share * total for name, share in SHARES.items()}
    for group, name in places.items():
        lacking[name] -= sizes[group]
    for group in largest[1:-2]:
        name = max(lacking, key=lambda each: lacking[each])
        places[group] = name
        lacking[name] -= sizes[group]
    return places


def _gathered(name: str, took: list[tuple[SplitIndex, int, int]], prefixed: bool) -> SplitIndex:
    """Listed pairs first, then those with roles changed, in the same order."""
    recordings: list[Recording] = []
    numbers: dict[tuple[str, int], int] = {}
    pairs = []
    for split, pair, _ in sorted(took, key=lambda each: each[2]):
        for old in split.pairs[pair]:
            if (split.name, int(old)) not in numbers:
                numbers[split.name, int(old)] = len(recordings)
                each = split.recordings[old]
                key = f"{split.name}/{each.key}" if prefixed else each.key
                recordings.append(replace(each, key=key))
        pairs.append([numbers[split.name, int(old)] for old in split.pairs[pair]])
    return SplitIndex(name, tuple(recordings), np.array(pairs, np.int32))
