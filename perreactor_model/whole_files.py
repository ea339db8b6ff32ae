"""Files that are there whole or not at all, whenever somebody looks or the writer is stopped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; it takes that name in the end, or vanishes on an error.

    Raises OSError where the folder cannot be written to.
    """
    folder = path.absolute().parent
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=f"{path.suffix}.part")
    os.close(handle)
    try:
        yield Path(name)
        # mkstemp's files are private; this one shall be like any other that the user writes.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
