"""Where the profiles of this user are kept: below one folder, a folder for each bundle.

A pattern means nothing to another bundle, so the same person may have a profile for several.
"""

from __future__ import annotations

import os
from pathlib import Path

from perreactor_model.profiles.errors import ProfileError

FOLDER_VARIABLE = "PERREACTOR_PROFILES"


def user_folder() -> Path:
    """$PERREACTOR_PROFILES, else `perreactor/profiles` where the user's data are (XDG).

    Raises ProfileError where nobody knows the home folder that this is in.
    """
    own = os.environ.get(FOLDER_VARIABLE)
    if own:
        return _expanded(Path(own))
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    base = Path(data) if data.startswith("/") else _expanded(Path("~/.local/share"))
    return base / "perreactor" / "profiles"


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ProfileError(
            f"there is no home folder for {path}: set {FOLDER_VARIABLE} to the folder where "
            "profiles shall be kept"
        ) from None


def profile_folder(model_id: str) -> Path:
    """The user's folder for profiles of the bundle with this id. It need not exist."""
    return user_folder() / model_id


def other_bundles(name: str) -> list[str]:
    """Ids of the bundles for which the user has a profile of this name."""
    return sorted(path.parent.name for path in user_folder().glob(f"*/{name}.json"))
