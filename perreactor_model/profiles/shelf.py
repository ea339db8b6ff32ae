"""The profiles on disk as a user sees them: all of them, wherever they are; saving and deleting."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perreactor_model.profiles.errors import ProfileError
from perreactor_model.profiles.folders import profile_folder, user_folder
from perreactor_model.profiles.history import ListenerHistory
from perreactor_model.profiles.profile import ListenerProfile, check_name

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle

HISTORY_SUFFIX = ".history.npz"


@dataclass(frozen=True)
class ShelfEntry:
    """One file: `place` is "bundle", "user" or the folder; `fits` whether this bundle can use it;
    `trouble` says why it cannot be read.
    """

    name: str
    place: str
    path: Path
    bundle: str
    fits: bool
    provenance: dict[str, Any]
    trouble: str = ""


def entries(bundle: Bundle, folder: Path | None = None) -> list[ShelfEntry]:
    """Every profile of the bundle, of the user (those for other bundles last), and of `folder`."""
    places = [("bundle", bundle.profiles_path)]
    if folder is not None:
        places.append((str(folder), folder))
    mine = profile_folder(bundle.model_id)
    places.append(("user", mine))
    others = user_folder()
    if others.is_dir():
        places += [("user", each) for each in sorted(others.iterdir()) if each != mine]
    found = [
        _entry(path, place, bundle.model_id)
        for place, each in places
        if each.is_dir()
        for path in sorted(each.glob("*.json"))
    ]
    return sorted(found, key=lambda entry: not entry.fits)


def _entry(path: Path, place: str, model_id: str) -> ShelfEntry:
    try:
        profile = ListenerProfile.load(path)
    except ProfileError as error:
        return ShelfEntry(path.stem, place, path, path.parent.name, False, {}, str(error))
    fits = profile.bundle == model_id
    return ShelfEntry(path.stem, place, path, profile.bundle, fits, profile.provenance)


def check_free(name: str, bundle: Bundle, folder: Path | None, replace: bool) -> Path:
    """The folder where a new profile of this name goes. Raises ProfileError where it cannot."""
    check_name(name)
    target = folder if folder is not None else profile_folder(bundle.model_id)
    if folder is None and (bundle.profiles_path / f"{name}.json").exists():
        raise ProfileError(
            f"'{name}' is a profile that came with bundle {bundle.name}: take another name"
        )
    if not replace and (target / f"{name}.json").exists():
        raise ProfileError(
            f"there is a profile '{name}' already ({target / name}.json): take another name, or "
            "--replace it"
        )
    return target


def keep(profile: ListenerProfile, folder: Path, history: ListenerHistory | None = None) -> Path:
    """Write a profile and, if given, its history beside it; an older history goes. Raises OSError.

    Returns the profile's path.
    """
    beside = folder / f"{profile.name}{HISTORY_SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    if history is not None:
        from perreactor_model.face_analysis.attribute_files import write_attributes

        write_attributes(history.to_track(), beside)
    else:
        beside.unlink(missing_ok=True)
    return profile.save(folder)


def delete(
    name: str, bundle: Bundle, folder: Path | None = None, all_bundles: bool = False
) -> list[Path]:
    """Delete a profile of the user's with its history, if one was kept; returns what is gone.

    With `all_bundles` those for other bundles too. Raises ProfileError, OSError.
    """
    target = folder if folder is not None else profile_folder(bundle.model_id)
    targets = [target]
    if all_bundles and user_folder().is_dir():
        targets += [each for each in sorted(user_folder().iterdir()) if each != target]
    known = {path.name[: -len(".json")]: path for path in target.glob("*.json")}
    files = [
        path
        for each in targets
        for path in sorted(each.glob("*"))
        if path.name in (f"{name}.json", f"{name}{HISTORY_SUFFIX}")
    ]
    if not files:
        raise ProfileError(_cannot_delete(name, bundle, sorted(known)))
    for path in files:
        path.unlink()
    return files


def _cannot_delete(name: str, bundle: Bundle, known: list[str]) -> str:
    if (bundle.profiles_path / f"{name}.json").exists():
        return f"'{name}' came with bundle {bundle.name}: only profiles of your own are deleted"
    elsewhere = [path.parent.name for path in user_folder().glob("*/*.json") if path.stem == name]
    if elsewhere:
        return (
            f"you have a profile '{name}' for {', '.join(sorted(elsewhere))}, none for "
            f"{bundle.model_id}: say --bundle, or --all-bundles"
        )
    near = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"yours: {', '.join(known) or 'none'}"
    return f"you have no profile '{name}' for {bundle.model_id}; {hint}"
