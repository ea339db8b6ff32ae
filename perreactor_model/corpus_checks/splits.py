"""What is wrong with who talks to whom: pairs, people, and files that nobody uses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from perreactor_model.contract import FRAME_RATE
from perreactor_model.corpora import mars
from perreactor_model.corpora.recordings import Corpus, SplitIndex, visible
from perreactor_model.corpus_checks.files import Look
from perreactor_model.corpus_checks.findings import Fault
from perreactor_model.preparation.computing import SLACK

Looks = Mapping[str, Sequence[Look]]
"""By split, in the order of its recordings."""


def listed_pairs(corpus: Corpus, split: SplitIndex) -> list[tuple[int, int]]:
    """Those of the index, without the same with roles changed."""
    count = len(split.pairs) // 2 if corpus.layout == "react2024" else len(split.pairs)
    return [(int(speaker), int(listener)) for speaker, listener in split.pairs[:count]]


def look_at_pairs(corpus: Corpus, split: SplitIndex, looks: Sequence[Look]) -> Iterator[Fault]:
    """Of one split: twice the same, with oneself, of different length."""
    keys = [each.key for each in split.recordings]
    seen: Counter[tuple[int, int]] = Counter()
    for speaker, listener in listed_pairs(corpus, split):
        told = f"{split.name}: {keys[speaker]} and {keys[listener]}"
        if speaker == listener:
            yield Fault("self", told)
            continue
        seen[min(speaker, listener), max(speaker, listener)] += 1
        if seen[min(speaker, listener), max(speaker, listener)] == 2:
            yield Fault("listed-twice", told)
        one, other = looks[speaker].frames, looks[listener].frames
        if one and other and abs(one - other) > SLACK:
            rule = "misaligned-pair" if abs(one - other) > FRAME_RATE else "uneven"
            yield Fault(rule, f"{told}: {one} and {other} frames at 25 a second")


def look_at_splits(corpus: Corpus) -> Iterator[Fault]:
    """Which of the three are there."""
    for name in ("train", "val", "test"):
        if name not in corpus.splits:
            yield Fault("split-missing", name)


def look_at_people(corpus: Corpus) -> Iterator[Fault]:
    """Who is in two splits, and of whom there is no other recording."""
    places: dict[str, set[str]] = defaultdict(set)
    for name, split in corpus.splits.items():
        recordings = Counter(each.identity for each in split.recordings)
        for identity in recordings:
            places[identity].add(name)
        listeners = {split.recordings[int(listener)].identity for listener in split.pairs[:, 1]}
        for identity in sorted(listeners):
            if recordings[identity] == 1:
                yield Fault("alone", f"{identity} ({name})")
    for identity, names in sorted(places.items()):
        if len(names) > 1:
            yield Fault("shared-identity", f"{identity}: {', '.join(sorted(names))}")


def look_at_copies(corpus: Corpus, looks: Looks) -> Iterator[Fault]:
    """Recordings with the same attributes to the byte, unless those never change."""
    same: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, split in corpus.splits.items():
        for recording, look in zip(split.recordings, looks[name], strict=True):
            if look.digest and not any(fault.rule == "still" for fault in look.faults):
                same[look.digest].append((name, recording.key))
    for places in same.values():
        if len(places) > 1:
            rule = "copies" if len({name for name, _ in places}) == 1 else "shared-recording"
            shown = ", ".join(f"{key} ({name})" for name, key in places[:4])
            yield Fault(rule, shown + (", ..." if places[4:] else ""))


def look_at_leftovers(corpus: Corpus) -> Iterator[Fault]:
    """Files of attributes that belong to no recording."""
    for split in corpus.splits.values():
        used = {path for each in split.recordings for path in each.files.values()}
        folders = {
            path.parents[_depth(corpus, each.key)]
            for each in split.recordings
            if (path := each.files.get("attributes")) is not None
        }
        for folder in sorted(folders):
            for path in _files(folder):
                if path not in used and path.suffix in (".csv", ".npy"):
                    yield from _leftover(corpus, path, folder)


def _depth(corpus: Corpus, key: str) -> int:
    """How far above a file the folder of its kind is."""
    return 2 if corpus.layout == "mars" else key.count("/")


def _leftover(corpus: Corpus, path: Path, folder: Path) -> Iterator[Fault]:
    place = path.relative_to(folder)
    if corpus.layout != "mars":
        yield Fault("unlisted", str(path))
    elif place.parts[0] in mars.ROLES and len(place.parts) == 3:
        other = mars.ROLES[1 - mars.ROLES.index(place.parts[0])]
        yield Fault("unpaired", f"{path}: {folder / other / Path(*place.parts[1:])} is missing")
    else:
        yield Fault("unlisted", str(path))


def _files(folder: Path) -> Iterator[Path]:
    for path in visible(folder):
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def look_at_identities(corpus: Corpus) -> Iterator[Fault]:
    """MARS only: whether identities.csv says of each file who it is, and of no other."""
    if corpus.layout != "mars":
        return
    path = corpus.root / mars.IDENTITIES
    if not path.is_file():
        yield Fault("identities", f"{path} is missing")
        return
    who = mars.read_identities(path, lambda message: None)
    there = {
        (name, *recording.key.split("/"))
        for name, split in corpus.splits.items()
        for recording in split.recordings
    }
    for place in sorted(there - set(who)):
        yield Fault("identities", f"{'/'.join(place)} is not in {path}")
    for place in sorted(set(who) - there):
        yield Fault("identities", f"{path} names {'/'.join(place)}, which is not there")
