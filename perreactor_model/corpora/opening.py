"""Which layout a folder has."""

from __future__ import annotations

from pathlib import Path

from perreactor_model.corpora.mars import is_mars, open_mars
from perreactor_model.corpora.react import is_react, open_react
from perreactor_model.corpora.recordings import Corpus, CorpusError, Told, refuse

LAYOUTS = ("auto", "react2024", "mars")


def open_corpus(root: Path | str, layout: str = "auto", told: Told = refuse) -> Corpus:
    """Find the recordings of a corpus and who talked to whom. Raises CorpusError.

    told: is given what is wrong with an index instead, and the rest is opened all the same.
    """
    root = Path(root)
    if layout not in LAYOUTS:
        raise CorpusError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    if not root.is_dir():
        raise CorpusError(f"{root} is no folder")
    if layout == "react2024" or (layout == "auto" and is_react(root)):
        return open_react(root, told)
    if layout == "mars" or is_mars(root):
        return open_mars(root, told)
    raise CorpusError(
        f"{root} is no corpus we know: REACT 2023/24 has train.csv beside its splits' folders, "
        "MARS has <split>/facial-attributes/listener/session<k>/"
    )
