"""The pip way: `perreactor_model` and the command line, on machines without ROS.

The ROS package is built by colcon from CMakeLists.txt; messages cannot be generated from here.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
SHARE = Path("share", "perreactor_ros")


def version() -> str:
    """The one version number, from the package itself."""
    text = (ROOT / "perreactor_model" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)[1]


def resources() -> list[tuple[str, list[str]]]:
    """Bundles, speakers and configuration, into the place where colcon installs them too.

    The ament marker stays out: a package without its messages must not pose as the ROS package.
    """
    files = [
        file.relative_to(ROOT)
        for folder in ("resource/bundles", "resource/speaker", "config")
        for file in sorted((ROOT / folder).rglob("*"))
        if file.is_file()
    ]
    folders = sorted({file.parent for file in files})
    return [
        (
            str(SHARE / (folder.relative_to("resource") if "resource" in folder.parts else folder)),
            [str(file) for file in files if file.parent == folder],
        )
        for folder in folders
    ]


setup(
    name="perreactor",
    version=version(),
    description="Robots that listen with their face: personalised facial reactions, live",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["perreactor_model", "perreactor_model.*"]),
    data_files=resources(),
    install_requires=[
        "av>=13",
        "kaldi-native-fbank>=1.20",
        "numpy>=1.24",
        # With an NVIDIA GPU, replace it by onnxruntime-gpu: the two overwrite each other.
        "onnxruntime>=1.18",
        "opencv-python-headless>=4.8,<5",  # OpenCV 5 carries no face detector
        "psutil",
        "PyYAML",
        "scipy>=1.10",
        "tqdm",
    ],
    extras_require={
        "evaluation": ["matplotlib>=3.8", "numba>=0.59", "rosbags>=0.11.9,<0.12", "zstandard"],
        "training": [
            "torch>=2.5",
            "lightning-fabric>=2.5",
            "tensorboard>=2.17",
            "onnx>=1.16",
            "onnxscript>=0.2",
            "safetensors>=0.4",
        ],
    },
    entry_points={"console_scripts": ["perreactor = perreactor_model.cli.main:main"]},
)
