"""PerReactor's method: contract, networks, streaming engine, profiles and the command line.

This package knows nothing of ROS. Importing it loads neither torch nor onnxruntime; the public
names below are resolved on first use.

>>> from perreactor_model import Reactor
>>> reactor = Reactor.load("demo_attributes", robots={"robot_a": "warm"})
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "Reactor": "perreactor_model.streaming.reactor",
    "Reaction": "perreactor_model.streaming.frames",
    "SpeakerFrame": "perreactor_model.streaming.frames",
    "Bundle": "perreactor_model.bundle.manifest",
    "ListenerProfile": "perreactor_model.profiles",
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'perreactor_model' has no attribute {name!r}")
