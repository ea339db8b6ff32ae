"""Finding profiles by name: the bundle's own, the user's, and those in given folders."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from perreactor_model.profiles.blend import parse_blend
from perreactor_model.profiles.controls import MIME, REPLAY_PREFIX, control_names, read_replay
from perreactor_model.profiles.errors import ProfileError
from perreactor_model.profiles.folders import other_bundles, profile_folder
from perreactor_model.profiles.profile import ListenerProfile, is_name

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle

_MOST_KEPT = 256
"""Profiles that are kept parsed."""


class ProfileStore:
    """The profiles that a bundle knows: its own, those in `folders`, and the control conditions.

    Searched are `folders`, last first (each itself, and its folder for this bundle if it has one),
    then the bundle's own profiles, then the user's (`profile_folder`): the first that has a name
    wins. Files are looked for whenever a name is asked for, so that a profile made while a robot
    runs can be chosen at once; one that has not changed is not parsed again. Not thread-safe.
    """

    def __init__(self, bundle: Bundle, folders: Iterable[Path] = ()) -> None:
        self._bundle = bundle
        given = [
            place
            for folder in (Path(each).expanduser() for each in folders)
            for place in (folder / bundle.model_id, folder)
        ]
        self._folders = [*reversed(given), bundle.path / "profiles"]
        self._kept: dict[Path, tuple[tuple[int, int, int], ListenerProfile]] = {}

    @property
    def controls(self) -> list[str]:
        """Names of this bundle's control conditions."""
        return control_names(self._bundle.config.visual_input)

    def names(self) -> list[str]:
        """Every name that can be chosen: control conditions first, then profiles, sorted."""
        return [*self.controls, *sorted(self.files())]

    def files(self) -> dict[str, Path]:
        """The file of each profile, by name; those that are hidden by another are left out."""
        return {
            path.stem: path for folder in reversed(self._places()) for path in _files_in(folder)
        }

    def check(self, name: str) -> None:
        """Raise ProfileError unless `name` is a control condition, a profile that loads, or a
        blend of such; or `replay:` and a file that can be played.
        """
        if name.startswith(REPLAY_PREFIX):
            read_replay(name)
        else:
            self.resolve(name)

    def resolve(self, text: str) -> list[tuple[ListenerProfile | str, float]]:
        """What a name or a blend (`alice:0.5+stoic:0.5`) stands for: parts, and weights that sum
        to 1.

        A part is a profile, or the name of a control condition (also `generic`). `replay:<file>`
        stands for itself and is not read. Raises ProfileError.
        """
        controls = self.controls
        return [
            (name if name in controls or name.startswith(REPLAY_PREFIX) else self.get(name), weight)
            for name, weight in parse_blend(text)
        ]

    def get(self, name: str) -> ListenerProfile:
        """The profile of this name. Raises ProfileError: unknown, broken, or another bundle's."""
        path = self.find(name)
        if path is None:
            raise ProfileError(self._unknown(name))
        profile = self._load(path)
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

    def readable(self) -> list[ListenerProfile]:
        """All profiles that `get` gives, by name; those that it refuses are left out."""
        found = []
        for name in sorted(self.files()):
            try:
                found.append(self.get(name))
            except ProfileError:
                continue
        return found

    def find(self, name: str) -> Path | None:
        """The file of the profile with this name, if there is one."""
        if not is_name(name):
            return None
        paths = (folder / f"{name}.json" for folder in self._places())
        try:
            return next((path for path in paths if path.exists()), None)
        except OSError as error:
            raise ProfileError(f"{error.filename}: cannot be read: {error.strerror}") from error

    def _places(self) -> list[Path]:
        """Folders in the order of search; the user's is asked for anew, as it may be set later."""
        return [*self._folders, profile_folder(self._bundle.model_id)]

    def _load(self, path: Path) -> ListenerProfile:
        try:
            status = path.stat()
        except OSError as error:
            raise ProfileError(f"{path}: cannot be read: {error.strerror}") from error
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        kept = self._kept.get(path)
        if kept is not None and kept[0] == state:
            return kept[1]
        profile = ListenerProfile.load(path)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[path] = (state, profile)
        return profile

    def _unknown(self, name: str) -> str:
        if name == MIME:
            return (
                f"'{MIME}' copies the speaker's facial attributes, and {self._bundle.model_id} "
                "sees pixels: use a bundle that sees facial_attributes"
            )
        others = other_bundles(name) if is_name(name) else []
        known = self.names()
        shown = name if len(name) <= 80 else f"{name[:80]}..."
        if others:
            return (
                f"profile '{name}' exists for bundle {' and '.join(others)}, not for "
                f"{self._bundle.model_id}: make it for this bundle too, with "
                f"perreactor profile create {name} --bundle {self._bundle.path} and the video or "
                "attributes it was made from"
            )
        close = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return f"unknown profile '{shown}'{hint}; known: {', '.join(known)}"


def _files_in(folder: Path) -> list[Path]:
    """None where the folder is missing, or may not be read: the bundle's own still serve."""
    try:
        return sorted(folder.glob("*.json")) if folder.is_dir() else []
    except PermissionError:
        return []
