"""Bundles of trained networks: from a checkpoint to what the nodes load.

A bundle is made beside the place where it will be, compared with its checkpoint, and only then
moved there: whoever looks finds the old one, or the new one whole.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model import __version__
from perreactor_model.bundle.manifest import (
    MANIFEST_NAME,
    PROFILES_FOLDER,
    Bundle,
    BundleManifest,
    check_bundle_name,
    file_sha256,
    write_manifest,
)
from perreactor_model.bundle.parity import PARITY, Differences, compare
from perreactor_model.contract import COEFFICIENT_COUNT
from perreactor_model.networks.authors.checkpoint import is_authors_checkpoint
from perreactor_model.networks.checkpoint import (
    CheckpointError,
    generator_from_content,
    is_checkpoint,
    read_content,
)
from perreactor_model.networks.export import ExportError, export_graphs
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.profiles import ListenerHistory, make_profile
from perreactor_model.training.checkpoints import stage_of_reactions
from perreactor_model.training.options import SCORES

DRAWN_FACES = "has seen drawn faces only: real cameras are out of its domain"
"""What a bundle says of itself that sees pixels and learnt from simulated people."""


@dataclass(frozen=True)
class TrainedNetworks:
    """Networks from a checkpoint, and what it says of their training.

    `record` is empty for a checkpoint that no training run wrote.
    """

    path: Path
    generator: ReactionGenerator
    record: Mapping[str, Any]

    @property
    def stage(self) -> str | None:
        """`gag`, `pag` or `face`; None where it is not known."""
        stage = self.record.get("options", {}).get("stage")
        return None if stage is None else str(stage)

    @property
    def steps(self) -> int:
        """Steps of training of the last stage; 0 where nothing is known."""
        return int(self.record.get("step", 0))

    @property
    def knows_listeners(self) -> bool:
        """Whether the pattern encoder may have learnt something: that is what stage 2 does."""
        return stage_of_reactions(self.record) != "gag"


@dataclass(frozen=True)
class CorpusFacts:
    """What a bundle tells of the corpus its networks were trained on.

    `mean_face` (58,) float32: the face that coefficients of 0 stand for; `key` identifies the
    prepared corpus; `synthetic`: nobody real was in it.
    """

    mean_face: np.ndarray
    au_semantics: str
    key: str | None = None
    synthetic: bool | None = None


@dataclass(frozen=True)
class Exported:
    """A finished bundle, and how far it is from its checkpoint."""

    bundle: Bundle
    differences: Differences
    profiles: tuple[str, ...] = field(default=())


def read_networks(path: Path) -> TrainedNetworks:
    """Read a checkpoint of ours. Raises CheckpointError for any other file, and OSError."""
    if path.is_dir():
        hint = " (it is a bundle already)" if (path / MANIFEST_NAME).is_file() else ""
        raise CheckpointError(
            f"{path} is a folder{hint}: give a checkpoint, such as best.ckpt in the folder of a "
            "training run"
        )
    content = read_content(path)
    if is_authors_checkpoint(content):
        raise CheckpointError(
            f"{path} is a checkpoint of the PerReactor authors' networks, which cannot be streamed "
            "and so make no bundle: `perreactor generate` reads it as it is"
        )
    if not is_checkpoint(content):
        raise CheckpointError(
            f"{path} is no perreactor checkpoint: config and state_dict missing. "
            "Give best.ckpt or last.ckpt of `perreactor train`"
        )
    assert isinstance(content, dict)
    record = content.get("training", {})
    return TrainedNetworks(path, generator_from_content(content, str(path)), record)


def recorded_corpus(networks: TrainedNetworks) -> CorpusFacts | None:
    """What the checkpoint itself says of its corpus, None where it does not."""
    told = networks.record.get("corpus")
    if told is None:
        return None
    return CorpusFacts(
        mean_face=np.asarray(told["mean_face"], np.float32),
        au_semantics=told["au_semantics"],
        key=networks.record.get("data"),
        synthetic=told.get("synthetic"),
    )


def export_bundle(
    networks: TrainedNetworks,
    folder: Path,
    corpus: CorpusFacts,
    histories: Mapping[str, ListenerHistory],
    name: str | None = None,
    scores: Mapping[str, Any] | None = None,
) -> Exported:
    """Write the bundle of a checkpoint into `folder`, with a profile from each history.

    `name` is by default that of the folder, `scores` is kept in the bundle's provenance. The same
    checkpoint gives the same bundle, model_id included. Raises BundleError for a bad name,
    ExportError where graphs or bundle do not agree with the checkpoint to 1e-4, FileExistsError
    for a folder that holds something else, HistoryRefused, OSError.
    """
    name = name or folder.absolute().name
    check_bundle_name(name, "the bundle")
    if histories and not networks.knows_listeners:
        raise CheckpointError(
            f"{networks.path} comes from `perreactor train gag`, whose pattern encoder has learnt "
            "nothing yet: make profiles with the checkpoint of `perreactor train pag`"
        )
    assert corpus.mean_face.shape == (COEFFICIENT_COUNT,)
    with _in_its_place(folder) as beside:
        files = {path.name: file_sha256(path) for path in export_graphs(networks.generator, beside)}
        manifest = BundleManifest(
            name=name,
            trained=networks.steps > 0,
            model=networks.generator.config,
            mean_face=corpus.mean_face,
            au_semantics=corpus.au_semantics,
            files=files,
            provenance=_provenance(networks, corpus, scores),
        )
        write_manifest(manifest, beside)
        bundle = Bundle.load(beside)
        differences = compare(networks.generator, networks.path, bundle)
        if not differences.largest <= PARITY:
            raise ExportError(
                f"the bundle and {networks.path} differ by {differences.largest:.2g} "
                f"(limit {PARITY:g}): {differences}"
            )
        for listener, history in histories.items():
            _write_profile(listener, history, bundle)
    return Exported(Bundle.load(folder), differences, tuple(sorted(histories)))


def _provenance(
    networks: TrainedNetworks, corpus: CorpusFacts, scores: Mapping[str, Any] | None
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "checkpoint_sha256": file_sha256(networks.path),
        "made_with": f"perreactor {__version__}",
    }
    if not networks.steps:
        return {"kind": "checkpoint without a record of training", **told}
    record = networks.record
    # Of stage `face`, the corpus of the faces; that of the reactions stands with the teacher.
    synthetic = record.get("faces_synthetic", corpus.synthetic)
    data: dict[str, Any] = {"key": corpus.key or record.get("data")}
    if synthetic is not None:
        data["synthetic"] = synthetic
    drawn = bool(synthetic) and networks.generator.config.visual_input == "face_image"
    return {
        "kind": "trained on simulated people" if synthetic else "trained",
        **({"domain": DRAWN_FACES} if drawn else {}),
        "stage": networks.stage,
        "steps": networks.steps,
        f"held_out_{SCORES[networks.stage or 'pag']}": record.get("score"),
        "corpus": data,
        "training": _training(record.get("options", {})),
        **({"teacher": _teacher(record["teacher"])} if "teacher" in record else {}),
        **({"scores": dict(scores)} if scores else {}),
        **told,
    }


def _training(options: Mapping[str, Any]) -> dict[str, Any]:
    return {group: values for group, values in options.items() if group != "stage"}


def _teacher(record: Mapping[str, Any]) -> dict[str, Any]:
    """The generator that an encoder of pictures was made for."""
    corpus = record["corpus"] or {}
    return {
        "stage": record["stage"],
        "steps": record["step"],
        "held_out_FRCorr": record.get("score"),
        "corpus": {"key": record["data"], "synthetic": corpus.get("synthetic")},
        "training": _training(record["options"]),
        "checkpoint_sha256": record["sha256"],
    }


def _write_profile(listener: str, history: ListenerHistory, bundle: Bundle) -> None:
    profile = make_profile(listener, history, bundle)
    if history.source.get("kind") == SIMULATED:
        # Not somebody's history, and nothing about it depends on today.
        profile.provenance["kind"] = "history of a simulated person"
        del profile.provenance["made"]
    profile.save(bundle.path / PROFILES_FOLDER)


SIMULATED = "simulated"
"""Kind of source of a history that a persona was simulated for."""


@contextmanager
def _in_its_place(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place in the end, or vanishes on an error.

    Raises FileExistsError where `folder` holds anything but a bundle.
    """
    folder = folder.absolute()
    _refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        beside, old = Path(scratch) / "new", Path(scratch) / "old"
        beside.mkdir()
        yield beside
        if folder.exists():
            os.replace(folder, old)
        try:
            os.replace(beside, folder)
        except OSError:
            if old.exists():
                os.replace(old, folder)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: a bundle is a folder")
    entries: Sequence[str] = os.listdir(folder)
    if entries and MANIFEST_NAME not in entries:
        raise FileExistsError(
            f"{folder} holds something other than a bundle: give a folder that does not exist yet, "
            "an empty one, or a bundle to put the new one in its place"
        )
