"""Model bundles: a folder of ONNX graphs with a `bundle.json` that says what they are.

Everything is verified when a bundle is loaded, so that later code can trust it: format and contract
version, model configuration, mean face, and the sha256 of each graph. Nothing is unpickled, and
neither torch nor onnxruntime is needed to read a bundle.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import AU_SEMANTICS, COEFFICIENT_COUNT, CONTRACT_VERSION
from perreactor_model.installed import shipped_folders
from perreactor_model.networks.config import ConfigError, ModelConfig

BUNDLE_FORMAT = 1
MANIFEST_NAME = "bundle.json"
PROFILES_FOLDER = "profiles"

DEFAULT_BUNDLE = "demo_attributes"
"""The bundle of nodes and commands that are given none."""

SEARCH_VARIABLE = "PERREACTOR_BUNDLES"

GRAPHS = (
    "frame_encoder",
    "distribution",
    "decoder_generic",
    "decoder_personal",
    "pattern_encoder",
)


class BundleError(ValueError):
    """A bundle that cannot be found or does not fit. The message names the file and the fault."""


@dataclass(frozen=True)
class BundleManifest:
    """The content of `bundle.json`, validated.

    `mean_face` is (58,) float32; `files` maps the file name of each graph to its sha256 in hex.
    """

    name: str
    trained: bool
    model: ModelConfig
    mean_face: np.ndarray
    au_semantics: str
    files: Mapping[str, str]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, content: Any, source: str = MANIFEST_NAME) -> "BundleManifest":
        """Validate the parsed JSON of a manifest; `source` names it in errors.

        Raises BundleError.
        """
        if not isinstance(content, dict):
            raise BundleError(f"{source} must hold a JSON object")
        _require_version(source, content, "format", BUNDLE_FORMAT)
        _require_version(source, content, "contract", CONTRACT_VERSION)
        required = {"name", "trained", "model", "mean_face", "au_semantics", "files", "provenance"}
        missing = sorted(required - set(content))
        unknown = sorted(set(content) - required - {"format", "contract"})
        if missing or unknown:
            faults = [f"lacks {', '.join(missing)}"] if missing else []
            faults += [f"has unknown entries {', '.join(unknown)}"] if unknown else []
            raise BundleError(f"{source} {' and '.join(faults)}")
        name = content["name"]
        check_bundle_name(name, source)
        if not isinstance(content["trained"], bool):
            raise BundleError(f"{source}: trained must be true or false")
        if content["au_semantics"] not in AU_SEMANTICS:
            raise BundleError(
                f"{source}: au_semantics must be one of {', '.join(AU_SEMANTICS)}, "
                f"not {content['au_semantics']!r}"
            )
        if not isinstance(content["provenance"], dict):
            raise BundleError(f"{source}: provenance must be an object")
        return cls(
            name=name,
            trained=content["trained"],
            model=_read_model(source, content["model"]),
            mean_face=_read_mean_face(source, content["mean_face"]),
            au_semantics=content["au_semantics"],
            files=_read_files(source, content["files"]),
            provenance=content["provenance"],
        )

    def to_dict(self) -> dict[str, Any]:
        """The content of `bundle.json`."""
        return {
            "format": BUNDLE_FORMAT,
            "contract": CONTRACT_VERSION,
            "name": self.name,
            "trained": self.trained,
            "model": self.model.to_dict(),
            "mean_face": [float(value) for value in self.mean_face],
            "au_semantics": self.au_semantics,
            "provenance": dict(self.provenance),
            "files": dict(self.files),
        }

    @property
    def model_id(self) -> str:
        """Name and the first 12 hex digits of the sha256 of the manifest: equal, same model."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return f"{self.name}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk."""

    path: Path
    manifest: BundleManifest

    @classmethod
    def load(cls, path_or_name: Path | str) -> "Bundle":
        """Load a bundle by folder or by name (see `find_bundle`) and verify all of it.

        Raises BundleError, naming the file, size or version that does not fit.
        """
        path = find_bundle(path_or_name)
        manifest = read_manifest(path / MANIFEST_NAME)
        for file, expected in manifest.files.items():
            _verify_file(path / file, expected)
        return cls(path, manifest)

    @property
    def name(self) -> str:
        """Name of the bundle, which need not be that of its folder."""
        return self.manifest.name

    @property
    def model_id(self) -> str:
        """Identifies this very model; profiles name it."""
        return self.manifest.model_id

    @property
    def config(self) -> ModelConfig:
        """Sizes and kinds of the model."""
        return self.manifest.model

    @property
    def mean_face(self) -> np.ndarray:
        """(58,) float32: the face that coefficients of 0 stand for."""
        return self.manifest.mean_face

    @property
    def trained(self) -> bool:
        """Whether the weights were learnt from people; if not, judge liveness, not sense."""
        return self.manifest.trained

    @property
    def au_semantics(self) -> str:
        """What action units are: `occurrence` or `intensity`."""
        return self.manifest.au_semantics

    @property
    def domain(self) -> str:
        """What it must not be expected to see, in words; empty where it says nothing of that."""
        return str(self.provenance.get("domain", ""))

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where the weights come from."""
        return self.manifest.provenance

    @property
    def profiles_path(self) -> Path:
        """Folder of the profiles that came with the bundle."""
        return self.path / PROFILES_FOLDER

    def graph_path(self, graph: str) -> Path:
        """The file of one of `GRAPHS`."""
        if graph not in GRAPHS:
            raise BundleError(f"a bundle has no graph {graph!r}, only {', '.join(GRAPHS)}")
        return self.path / f"{graph}.onnx"


def check_bundle_name(name: object, source: str) -> None:
    """Raise BundleError unless a bundle can have this name; `source` begins the message."""
    if not isinstance(name, str) or not name.replace("_", "").replace("-", "").isalnum():
        raise BundleError(f"{source}: name must be letters, digits, '_' and '-' only, not {name!r}")


def read_manifest(path: Path) -> BundleManifest:
    """Read and validate a `bundle.json`; raises BundleError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path.parent} is no bundle: it has no {path.name}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    return BundleManifest.from_dict(content, str(path))


def write_manifest(manifest: BundleManifest, folder: Path) -> None:
    """Write `bundle.json`, the last file of a bundle to be written."""
    text = json.dumps(manifest.to_dict(), indent=1) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """The sha256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_bundle(path_or_name: Path | str) -> Path:
    """The folder of a bundle given by path or by name.

    Names are searched in $PERREACTOR_BUNDLES, the ROS prefixes, the source tree and the Python
    installation, in this order. Raises BundleError with what was found instead.
    """
    text = str(path_or_name)
    try:
        given = Path(text).expanduser()
        found = (given / MANIFEST_NAME).is_file()
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, no such home
        raise BundleError(f"{text[:80]!r} is no bundle: {error}") from error
    if found:
        return given.resolve()
    if given.name != text:
        raise BundleError(f"{text} is no bundle: it has no {MANIFEST_NAME}")
    for folder in bundle_folders():
        if text and (folder / text / MANIFEST_NAME).is_file():
            return (folder / text).resolve()
    known = known_bundles()
    listing = f"known bundles: {', '.join(known)}" if known else "no bundle is installed"
    raise BundleError(f"no bundle {text!r}; {listing}; or give the path of a bundle folder")


def known_bundles() -> list[str]:
    """Names of all bundles that `find_bundle` finds."""
    names = {
        entry.parent.name
        for folder in bundle_folders()
        for entry in folder.glob(f"*/{MANIFEST_NAME}")
    }
    return sorted(names)


def bundle_folders() -> list[Path]:
    """Existing folders in which bundles are searched by name, first come first served."""
    entries = os.environ.get(SEARCH_VARIABLE, "").split(os.pathsep)
    own = [Path(entry) for entry in entries if entry and Path(entry).is_dir()]
    return own + shipped_folders("bundles")


def _verify_file(path: Path, expected: str) -> None:
    try:
        found = file_sha256(path)
    except OSError as error:
        raise BundleError(f"{path} is missing or unreadable: {error.strerror}") from error
    if found != expected:
        raise BundleError(
            f"{path} is not the file the bundle was made with: "
            f"sha256 {found[:12]}..., expected {expected[:12]}..."
        )


def _require_version(source: str, content: dict[str, Any], key: str, known: int) -> None:
    version = content.get(key)
    if isinstance(version, bool) or version != known:
        raise BundleError(
            f"{source} has {key} version {version!r}, this version of perreactor reads {known}"
        )


def _read_model(source: str, content: Any) -> ModelConfig:
    if not isinstance(content, dict):
        raise BundleError(f"{source}: model must be an object")
    try:
        return ModelConfig.from_dict(content)
    except ConfigError as error:
        raise BundleError(f"{source}: model: {error}") from error


def _read_mean_face(source: str, content: Any) -> np.ndarray:
    numbers = isinstance(content, list) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        for value in content
    )
    if not numbers or len(content) != COEFFICIENT_COUNT:
        size = f"{len(content)} entries" if isinstance(content, list) else "no list"
        raise BundleError(
            f"{source}: mean_face must be {COEFFICIENT_COUNT} finite numbers (found {size})"
        )
    mean_face = np.array(content, np.float32)
    mean_face.flags.writeable = False
    return mean_face


def _read_files(source: str, content: Any) -> dict[str, str]:
    expected = [f"{graph}.onnx" for graph in GRAPHS]
    if not isinstance(content, dict) or sorted(content) != sorted(expected):
        found = ", ".join(sorted(content)) if isinstance(content, dict) else "no object"
        raise BundleError(f"{source}: files must be {', '.join(expected)} (found {found})")
    for file, digest in content.items():
        known = isinstance(digest, str) and len(digest) == 64
        if not known or set(digest) - set("0123456789abcdef"):
            raise BundleError(f"{source}: files: {file} has no sha256 in hex but {digest!r}")
    return dict(content)
