"""The parameters of a reactor process and of each robot's node in it."""

import math
from pathlib import Path

from perreactor_model.streaming.runtime import DEVICES
from perreactor_ros.parameters import Parameter, ParameterError
from perreactor_ros.process import NAMESPACE

PROCESS = (
    NAMESPACE,
    Parameter(
        "robots",
        "The robots of this process with their first profiles, as robot_a:warm,robot_b:stoic.",
        read_only=True,
    ),
    Parameter("autostart", "Whether nodes configure and activate themselves.", read_only=True),
)

SHARED = (
    Parameter("bundle", "Model bundle: a folder, or the name of an installed one.", read_only=True),
    Parameter("device", "Where the networks run.", read_only=True, choices=DEVICES),
    Parameter("threads", "Threads inside a network operator.", read_only=True, low=1, high=64),
    Parameter("step", "Frames that are answered in one call.", read_only=True, low=1, high=25),
    Parameter(
        "window",
        "Frames of 40 ms that a reaction looks back on; 0: as many as the bundle was made for.",
        read_only=True,
        low=0,
        high=100_000,
    ),
    Parameter("seed", "Seed of the reactions' variation.", read_only=True, low=0, high=2**53),
    Parameter(
        "noise_seconds",
        "Time constant of the reactions' variation, s; 0: new each frame.",
        read_only=True,
        low=0.0,
        high=1e6,
    ),
    Parameter(
        "fade_seconds",
        "Time that a change of profile takes, s.",
        read_only=True,
        low=0.0,
        high=60.0,
    ),
    Parameter(
        "blend_frames",
        "Frames over which a face goes on from the last one shown after a gap or restart.",
        read_only=True,
        low=0,
        high=250,
    ),
    Parameter(
        "loss_seconds",
        "Time with neither face nor voice after which the speaker is lost, s.",
        read_only=True,
        low=0.0,
        high=60.0,
    ),
    Parameter(
        "decay_seconds",
        "Time that a face takes to neutral once the speaker is lost, s.",
        read_only=True,
        low=0.0,
        high=60.0,
    ),
    Parameter(
        "recover_seconds",
        "Time that a face takes from neutral once the speaker is back, s.",
        read_only=True,
        low=0.0,
        high=60.0,
    ),
    Parameter(
        "profiles",
        "Folder of further listener profiles, which count before all others; empty: none but the "
        "bundle's and the user's own.",
        read_only=True,
    ),
)
"""Those that each robot's node shows as well."""

LISTENER_PROFILE = Parameter(
    "listener_profile",
    "Listener profile that the robot reacts with: a name, or a blend as in "
    "alice:0.5+stoic:0.5; changes fade in from the next frame.",
)

BETA = Parameter(
    "beta",
    "Weight of the listener profile's pattern, 0 or more (Eq. 7), fading in as profiles do; "
    "-1.0: the bundle's own. Generic reactions have no pattern and stay as they are.",
    low=-1.0,
    high=10.0,
)


def beta_of(value: float) -> float | None:
    """The value of the parameter `beta` as an engine takes it. Raises ParameterError."""
    if math.isclose(value, -1.0, rel_tol=1e-6):
        return None
    if not 0.0 <= value < math.inf:
        raise ParameterError(f"beta is {value}: give 0.0 to 10.0, or -1.0 for the bundle's own")
    return value


def profile_folders(text: str) -> tuple[Path, ...]:
    """The folders that the parameter `profiles` names."""
    return (Path(text).expanduser().absolute(),) if text else ()
