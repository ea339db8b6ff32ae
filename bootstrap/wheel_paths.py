"""Make the CMake files in the ROS wheels point at this machine's Python and numpy headers.

The wheels' exported targets name include folders of the machine that built them,
`/opt/python/cp3XX-cp3XX/...`, with which no package can be configured anywhere else.
"""

import json
import re
import subprocess
from pathlib import Path

_PLACE = r"/opt/python/cp3\d+-cp3\d+"
_NUMPY = re.compile(_PLACE + r"/lib/python3\.\d+/site-packages/numpy/_?core/include")
_PYTHON = re.compile(_PLACE + r"/include/python3\.\d+")

_QUESTION = """
import json, sys, sysconfig, numpy
print(json.dumps([sys.prefix, sysconfig.get_paths()["include"], numpy.get_include()]))
"""


def relocate(text: str, python_include: str, numpy_include: str) -> str:
    """The text with both include folders replaced; a text without them is returned as it is."""
    text = _NUMPY.sub(lambda _: numpy_include, text)
    return _PYTHON.sub(lambda _: python_include, text)


def relocate_cmake_files(python: Path) -> int:
    """Rewrite the files under `share` of the interpreter's prefix. Returns how many changed."""
    answer = subprocess.run([python, "-I", "-c", _QUESTION], capture_output=True, check=True)
    prefix, python_include, numpy_include = json.loads(answer.stdout)
    changed = 0
    for file in sorted(Path(prefix, "share").rglob("*.cmake")):
        before = file.read_text(encoding="utf-8", errors="surrogateescape")
        after = relocate(before, python_include, numpy_include)
        if after != before:
            file.write_text(after, encoding="utf-8", errors="surrogateescape")
            changed += 1
    return changed
