"""A listener profile: a personal behaviour pattern with its provenance, a small JSON file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.profiles.controls import control_names
from perreactor_model.profiles.errors import ProfileError
from perreactor_model.whole_files import replacing

PROFILE_FORMAT = 1

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_LONGEST_NAME = 64
_LARGEST = 1000.0
"""Patterns have a root mean square of 1; a number beyond this is a broken file's."""

_BROKEN = (KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError)
"""What reading raises for a file that is no profile."""


def is_name(text: str) -> bool:
    """Whether a profile can have this name."""
    return (
        _NAME.fullmatch(text) is not None
        and len(text) <= _LONGEST_NAME
        and text not in control_names("facial_attributes")
    )


def check_name(name: str) -> None:
    """Raise ProfileError unless a profile can have this name."""
    if not is_name(name):
        raise ProfileError(
            f"'{name[: 2 * _LONGEST_NAME]}' cannot name a profile: use a letter followed by "
            f"letters, digits, '_' or '-', at most {_LONGEST_NAME} in all, and none of the control "
            f"conditions' names ({', '.join(control_names('facial_attributes'))})"
        )


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
        check_name(self.name)
        if self.pattern.ndim != 1 or not np.isfinite(self.pattern).all():
            raise ProfileError(f"profile '{self.name}': its pattern is not a finite vector")
        if np.abs(self.pattern).max(initial=0.0) > _LARGEST:
            raise ProfileError(
                f"profile '{self.name}': its pattern holds numbers beyond {_LARGEST:g}: expected "
                "a root mean square of 1"
            )

    def save(self, folder: Path) -> Path:
        """Write `<folder>/<name>.json`, all of it or nothing, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        record = {
            "format": PROFILE_FORMAT,
            "name": self.name,
            "bundle": self.bundle,
            "pattern": [float(value) for value in self.pattern],
            "provenance": self.provenance,
        }
        # A robot may look for it at this very moment: it finds the old one, then the new one.
        with replacing(path) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
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
            bundle, provenance = record["bundle"], record.get("provenance", {})
            if not isinstance(bundle, str) or not isinstance(provenance, dict):
                raise TypeError("bundle must be a text and provenance an object")
            with np.errstate(over="ignore"):
                pattern = np.asarray(record["pattern"], np.float32)
            return cls(record["name"], bundle, pattern, provenance)
        except ProfileError:
            raise
        except _BROKEN as error:
            raise ProfileError(f"{path}: not a listener profile ({error!r})") from error
