"""Listener profiles: a personal behaviour pattern with its provenance, kept as a small JSON file.

A profile belongs to the bundle whose pattern encoder made it and is refused by any other. Besides
the profiles of people there are control conditions for researchers, chosen by name in the same way
(`streaming/controls.py`).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, SPEAKER_VECTOR_COUNT

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle

PROFILE_FORMAT = 1

GENERIC = "generic"
"""GAG alone: appropriate reactions of nobody in particular."""

REPLAY_PREFIX = "replay:"

_LARGEST_REPLAY = 64 << 20
"""Bytes; a robot reads the file between two messages."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class ProfileError(ValueError):
    """A profile is unknown, broken or was made with another bundle."""


@dataclass(frozen=True)
class ListenerProfile:
    """The behaviour pattern p^l of one listener (paper, Eq. 4 and 7).

    `pattern` is float32 (feature_size,); `bundle` is the model_id of the bundle that made it;
    `provenance` says from what.
    """

    name: str
    bundle: str
    pattern: np.ndarray
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in control_names("facial_attributes"):
            raise ProfileError(
                f"'{self.name}' cannot name a profile: use a letter followed by letters, digits, "
                "'_' or '-', and none of the control conditions' names"
            )
        if self.pattern.ndim != 1 or not np.isfinite(self.pattern).all():
            raise ProfileError(f"profile '{self.name}': its pattern is not a finite vector")

    def save(self, folder: Path) -> Path:
        """Write `<folder>/<name>.json` and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        record = {
            "format": PROFILE_FORMAT,
            "name": self.name,
            "bundle": self.bundle,
            "pattern": [float(value) for value in self.pattern],
            "provenance": self.provenance,
        }
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> ListenerProfile:
        """Read a profile. Raises ProfileError that says what is wrong with the file."""
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != PROFILE_FORMAT:
                raise ProfileError(
                    f"{path}: profile format {record['format']}, expected {PROFILE_FORMAT}"
                )
            pattern = np.asarray(record["pattern"], np.float32)
            return cls(record["name"], record["bundle"], pattern, record.get("provenance", {}))
        except ProfileError:
            raise
        except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
            raise ProfileError(f"{path}: not a listener profile ({error!r})") from error


def control_names(visual_input: str) -> list[str]:
    """Names of the control conditions; mimicking needs a speaker whose attributes are measured."""
    mime = ["mime"] if visual_input == "facial_attributes" else []
    return [GENERIC, "neutral", *mime, "random"]


def read_replay(name: str) -> np.ndarray:
    """What `replay:<file>` plays: float32 (frames, 83), attributes and then coefficients.

    The file holds rows of 25 attributes, or 25 + 58 coefficients, as .npy or as .csv with a header
    line. Raises ProfileError.
    """
    path = Path(name.removeprefix(REPLAY_PREFIX))
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_REPLAY:
            raise OSError(f"it must be a file of at most {_LARGEST_REPLAY >> 20} MiB")
        if path.suffix == ".npy":
            rows = np.asarray(np.load(path, allow_pickle=False), np.float64)
        else:
            rows = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise ProfileError(f"profile '{name}' cannot be read as .npy or .csv: {error}") from error
    widths = (ATTRIBUTE_COUNT, SPEAKER_VECTOR_COUNT)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] not in widths:
        raise ProfileError(
            f"{path}: array of shape {rows.shape}, expected rows of 25 attributes, "
            "or of 25 attributes and 58 coefficients"
        )
    if not np.isfinite(rows).all():
        raise ProfileError(
            f"{path}: row {int(np.argwhere(~np.isfinite(rows))[0][0])} is not finite"
        )
    padded = np.zeros((len(rows), SPEAKER_VECTOR_COUNT), np.float32)
    padded[:, : rows.shape[1]] = rows
    return padded


class ProfileStore:
    """The profiles that a bundle knows: its own, those in `folders`, and the control conditions.

    Folders are read anew when a name is asked for, so that a profile made while a robot runs can be
    chosen at once; later folders win.
    """

    def __init__(self, bundle: Bundle, folders: Iterable[Path] = ()) -> None:
        self._bundle = bundle
        self._folders = [bundle.path / "profiles", *folders]

    def names(self) -> list[str]:
        """Every name that can be chosen: control conditions first, then profiles, sorted."""
        return [*control_names(self._bundle.config.visual_input), *sorted(self._files())]

    def check(self, name: str) -> None:
        """Raise ProfileError unless `name` is a control condition or loads as a profile."""
        if name.startswith(REPLAY_PREFIX):
            read_replay(name)
        elif name not in control_names(self._bundle.config.visual_input):
            self.get(name)

    def get(self, name: str) -> ListenerProfile:
        """The profile of this name. Raises ProfileError: unknown, broken, or another bundle's."""
        path = self._files().get(name)
        if path is None:
            known = self.names()
            close = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean '{close[0]}'?)" if close else ""
            raise ProfileError(f"unknown profile '{name}'{hint}; known: {', '.join(known)}")
        profile = ListenerProfile.load(path)
        if profile.name != name:
            raise ProfileError(f"{path}: the profile in it is called '{profile.name}': rename one")
        if profile.bundle != self._bundle.model_id:
            raise ProfileError(
                f"profile '{name}' was made with bundle {profile.bundle}, not with "
                f"{self._bundle.model_id}: make it again with this bundle"
            )
        size = self._bundle.config.feature_size
        if profile.pattern.shape != (size,):
            raise ProfileError(
                f"profile '{name}': its pattern has {profile.pattern.size} values, "
                f"the bundle needs {size}"
            )
        return profile

    def _files(self) -> dict[str, Path]:
        return {
            path.stem: path
            for folder in self._folders
            if folder.is_dir()
            for path in sorted(folder.glob("*.json"))
        }
