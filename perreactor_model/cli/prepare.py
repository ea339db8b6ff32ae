"""`perreactor prepare`: a corpus in the shape that training reads, computed once."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from perreactor_model.contract import FRAME_RATE
from perreactor_model.preparation.prepared import CACHE, SPEAKER_VIEWS
from perreactor_model.preparation.settings import (
    FACES,
    MATRICES,
    PICTURES,
    SPLITS,
    PreparationSettings,
)
from perreactor_model.shown_progress import shown_progress


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from perreactor_model.corpora.opening import LAYOUTS

    settings = PreparationSettings()
    parser.epilog = (
        "The folder is named after the files and these options: what is prepared already is "
        "found again, what has changed is prepared anew. Stopped, it goes on when started again."
    )
    parser.add_argument("corpus", type=Path, help="folder of the corpus")
    parser.add_argument("--out", type=Path, help="folder for prepared corpora (CORPUS/prepared)")
    parser.add_argument("--layout", choices=LAYOUTS, default=settings.layout, help="(%(default)s)")
    parser.add_argument(
        "--speaker-view",
        choices=SPEAKER_VIEWS,
        default=settings.speaker_view,
        help="show the generator speakers as a face analyzer sees them, or labels (%(default)s)",
    )
    parser.add_argument(
        "--matrix",
        choices=MATRICES,
        default=settings.matrix,
        help="what is appropriate: the corpus's file, equal sessions, or speakers' similarity; "
        "auto is the file where there is one, else sessions (%(default)s)",
    )
    likeness = parser.add_mutually_exclusive_group()
    likeness.add_argument(
        "--threshold", type=float, help="speakers at most this far apart are similar"
    )
    likeness.add_argument(
        "--per-row", type=int, metavar="K", help="the K nearest speakers are similar"
    )
    parser.add_argument(
        "--splits",
        choices=SPLITS,
        default=settings.splits,
        help="the corpus's own splits, or its people divided anew 60/20/20 (%(default)s)",
    )
    parser.add_argument(
        "--faces",
        choices=FACES,
        default=settings.faces,
        help="keep pictures of speakers' faces, or features of them; for face_image (%(default)s)",
    )
    parser.add_argument(
        "--pictures",
        choices=PICTURES,
        default=settings.pictures,
        help="what the videos show: faces cut out already, or scenes to find them in (%(default)s)",
    )
    parser.add_argument(
        "--image-size", type=int, default=settings.image_size, help="of --faces crops (%(default)s)"
    )
    parser.add_argument(
        "--encoder", metavar="CHECKPOINT", help="whose face encoder makes --faces tokens"
    )
    parser.add_argument(
        "--audio-rate", type=int, default=settings.audio_rate, help="Hz (%(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Prepare. Raises ValueError and OSError."""
    from perreactor_model.preparation.preparing import prepare
    from perreactor_model.whole_files import tidy_when_ended

    settings = PreparationSettings(
        layout=arguments.layout,
        speaker_view=arguments.speaker_view,
        matrix=arguments.matrix,
        threshold=arguments.threshold,
        per_row=arguments.per_row,
        splits=arguments.splits,
        audio_rate=arguments.audio_rate,
        faces=arguments.faces,
        pictures=arguments.pictures,
        image_size=arguments.image_size,
        encoder=arguments.encoder,
    )
    cache = arguments.out or arguments.corpus / CACHE
    with shown_progress("preparing") as progress, tidy_when_ended():
        prepared = prepare(arguments.corpus, cache, settings, arguments.workers, progress)
    told: dict[str, Any] = {
        "folder": str(prepared.folder),
        "key": prepared.key,
        "action units": prepared.au_semantics,
        "splits": {
            name: {
                "pairs": len(split.pairs),
                "people": len(split.identity_names),
                "minutes": round(float(split.start[-1]) / FRAME_RATE / 60, 1),
            }
            for name, split in prepared.splits.items()
        },
    }
    if arguments.json:
        print(json.dumps(told))
        return 0
    print(f"prepared in {told['folder']} (action units: {told['action units']})")
    for name, counts in told["splits"].items():
        print(
            f"  {name:<6} {counts['pairs']:6d} pairs, {counts['people']:4d} people, "
            f"{counts['minutes']:8.1f} minutes of recordings"
        )
    print(f"train with: perreactor train gag --data {told['folder']} --out RUN")
    return 0
