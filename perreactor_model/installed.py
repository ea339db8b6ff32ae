"""Where the files that come with perreactor lie: a sourced workspace, a checkout, a pip prefix."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

SHARE = Path("share", "perreactor_ros")
"""Below a prefix; colcon and pip install to the same place."""

_CHECKOUT = Path(__file__).resolve().parents[1]
_IN_CHECKOUT = {"bundles": Path("resource", "bundles"), "config": Path("config")}


def shipped_folders(kind: str) -> list[Path]:
    """Existing folders of shipped `bundles` or `config`, first come first served."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    folders = [Path(prefix) / SHARE / kind for prefix in prefixes if prefix]
    folders.append(_CHECKOUT / _IN_CHECKOUT[kind])
    folders.append(Path(sysconfig.get_path("data")) / SHARE / kind)
    return [folder for folder in folders if folder.is_dir()]


def config_file(name: str) -> Path:
    """A file of the shipped `config` folder, such as `train/gag.yaml`.

    Raises FileNotFoundError with the places that were searched.
    """
    folders = shipped_folders("config")
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    searched = ", ".join(map(str, folders)) or "no folder"
    raise FileNotFoundError(f"perreactor's own config/{name} is missing; searched {searched}")
