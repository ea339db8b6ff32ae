"""The inference side of a reactor process: behaviour in, the reactions of all robots out.

Everything here runs in the inference thread (`worker.py`), except where a docstring says otherwise.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import FRAME_NS
from perreactor_model.profiles import ProfileError, ProfileStore
from perreactor_model.streaming.choice import Choice
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.frames import Reaction, SpeakerFrame
from perreactor_ros.diagnostics import Quantiles, Rate
from perreactor_ros.messages import nanoseconds, reaction_message, speaker_frame
from perreactor_ros.msg import FacialReaction, SpeakerBehaviour

SILENCE_NS = 250_000_000
"""Without behaviour for so long, faces go on by themselves, frame by frame, towards rest."""

BACKLOG = 10
"""Frames (0.4 s) that may wait; if more do, all but the newest step are skipped."""

_FRAME_NUMBERS = 2**62
"""Where the numbers of frames end that the engine can count with."""

_MANY_RESTARTS = 10
"""Restarts within a second of frames that no clock and no respawned perception brings about."""


class Log(Protocol):
    """What of a node's logger is used here."""

    def info(self, message: str) -> object: ...

    def warning(self, message: str) -> object: ...

    def error(self, message: str) -> object: ...


class Robot(Protocol):
    """What the inference thread needs of a robot's node."""

    def wanted_profile(self) -> str:
        """The value of its parameter `listener_profile`."""

    def chosen(self, profile: str) -> Choice | None:
        """What was read of this profile when it was set, if anything."""

    def wanted_beta(self) -> float | None:
        """The value of its parameter `beta`; None for the bundle's own."""

    def profile_applied(self, profile: str) -> None:
        """From the next frame on it reacts with this profile."""

    def publish(self, message: FacialReaction) -> None:
        """Send a reaction out."""


@dataclass(frozen=True)
class Loaded:
    """What other threads may know of a loaded bundle; never changes.

    `profiles` reads profile files and belongs to the executor thread.
    """

    bundle: Bundle
    provider: str
    window: int
    profiles: ProfileStore

    @property
    def model_id(self) -> str:
        """Identifies the bundle's model."""
        return self.bundle.model_id

    @property
    def trained(self) -> bool:
        """Whether its weights were learnt from people."""
        return self.bundle.trained


class Reacting:
    """Feeds the engine and publishes for all robots.

    `now_ns` is the node's clock. The meters and counters are read by the executor thread.
    """

    def __init__(self, now_ns: Callable[[], int], outdated: Callable[[], bool], log: Log) -> None:
        self.step_time = Quantiles()
        self.latency = Quantiles()
        self.reactions = Rate()
        self.skipped = 0
        self.refused = 0
        self._now_ns = now_ns
        self._outdated = outdated
        self._log = log
        self._engine: ReactionEngine | None = None
        self._robots: dict[tuple[str, int], Robot] = {}
        self._applied: dict[str, tuple[str, Choice | None, float | None]] = {}
        self._due_ns: int | None = None
        self._heard = SpeakerBehaviour()
        self._lost: bool | None = None
        self._refused_model = ""
        self._token_size = 0
        self._restarts: deque[bool] = deque(maxlen=25)
        self._said_restarts = False

    # --- Jobs for the inference thread -----------------------------------------------------------

    def load(
        self, bundle: str, settings: EngineSettings, profile_folders: Sequence[Path] = ()
    ) -> Loaded:
        """Load a bundle. Raises BundleError, DeviceError or ValueError."""
        verified = Bundle.load(bundle)
        self._engine = ReactionEngine(verified, settings, profile_folders)
        self._token_size = verified.config.feature_size
        self._due_ns = self._lost = None
        engine = self._engine
        return Loaded(
            verified, engine.provider, engine.window, ProfileStore(verified, profile_folders)
        )

    def unload(self) -> None:
        """Free the bundle and its sessions."""
        self._engine = None
        self._robots.clear()
        self._applied.clear()

    def add_robot(self, name: str, robot: Robot, enabled: bool, sample: int = 0) -> None:
        """Let a robot react; `sample` tells several reactions of it apart. Raises ProfileError."""
        engine = self._loaded()
        profile, beta = robot.wanted_profile(), robot.wanted_beta()
        choice = robot.chosen(profile)
        engine.add_robot(name, choice or profile, sample, beta=beta)
        engine.set_enabled(name, enabled)
        self._applied[name] = profile, choice, beta
        self._robots[name, sample] = robot

    def remove_robot(self, name: str) -> None:
        """Let a robot react no more, with all its samples."""
        samples = [key for key in self._robots if key[0] == name]
        for key in samples:
            del self._robots[key]
        if samples:
            del self._applied[name]
            self._loaded().remove_robot(name)

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Let a robot's face go to rest and fall silent, or wake it."""
        if any(key[0] == name for key in self._robots):
            self._loaded().set_enabled(name, enabled)

    def reset(self) -> None:
        """Forget the conversation."""
        if self._engine is not None:
            self._engine.reset()
            if self._due_ns is not None:  # faces that nobody speaks to any more still go to rest
                self._due_ns = self._now_ns() + SILENCE_NS

    def finish(self) -> None:
        """The end of a recording: answer the frames that still wait for a full step."""
        if self._engine is not None:
            self._publish(self._engine.finish())

    def pause(self) -> None:
        """Nobody reacts for now: when somebody does again, no time has passed."""
        self._due_ns = None

    def counters(self) -> Mapping[str, int]:
        """The engine's counters (from any thread)."""
        engine = self._engine
        return {} if engine is None else dict(engine.counters)

    # --- Work ------------------------------------------------------------------------------------

    def work(self, messages: list[SpeakerBehaviour]) -> float | None:
        """Answer behaviour, or let faces go on alone; returns when to be called again, seconds."""
        if self._engine is None or not self._robots:
            return None
        self._apply_parameters()
        frames = self._frames_of(messages)
        now = self._now_ns()
        if frames:
            self._answer(frames)
            self._due_ns = now + SILENCE_NS if now > 0 else None
        elif self._due_ns is not None and now >= self._due_ns:
            self._publish(self._engine.idle())
            # Of a long pause (a suspended machine), only one frame is made up for.
            self._due_ns = max(self._due_ns + FRAME_NS, now - FRAME_NS)
        self._watch_speaker()
        if self._due_ns is None:
            return None
        # The node's clock may stand still or run at another speed, so look again soon.
        return min(max(self._due_ns - self._now_ns(), 1_000_000), FRAME_NS) / 1e9

    def _frames_of(self, messages: list[SpeakerBehaviour]) -> list[SpeakerFrame]:
        accepted = [message for message in messages if self._fits(message)]
        if not accepted:
            return []
        if len(accepted) > BACKLOG:
            newest = self._loaded().settings.step
            if not self.skipped:
                self._log.warning("inference takes too long: skipping to the newest frame")
            self.skipped += len(accepted) - newest
            accepted = accepted[-newest:]
        self._heard = accepted[-1]
        return [speaker_frame(message) for message in accepted]

    def _fits(self, message: SpeakerBehaviour) -> bool:
        """Whether this engine can use the message's token; says once why not."""
        expected = self._loaded().model_id
        fits = len(message.token) == self._token_size and message.frame < _FRAME_NUMBERS
        if message.model_id == expected and fits:
            return True
        self.refused += 1
        if self._refused_model != message.model_id or self.refused == 1:
            self._refused_model = message.model_id
            self._log.error(
                f"behaviour of bundle '{message.model_id}' ({len(message.token)} token values) is "
                f"of no use to bundle '{expected}' ({self._token_size} token values): start "
                "perception with the same bundle"
            )
        return False

    def _answer(self, frames: list[SpeakerFrame]) -> None:
        begin = time.perf_counter()
        engine = self._loaded()
        restarts = engine.counters["restarts"]
        reactions = engine.push(frames)
        self.step_time.add((time.perf_counter() - begin) / len(frames))
        self._watch_restarts(engine.counters["restarts"] > restarts)
        self._publish(reactions)

    def _watch_restarts(self, restarted: bool) -> None:
        """Say once that perceptions take turns: each frame then forgets what the other one said."""
        self._restarts.append(restarted)
        if not self._said_restarts and sum(self._restarts) > _MANY_RESTARTS:
            self._said_restarts = True
            self._log.error(
                "speaker/behaviour begins anew again and again: several perceptions seem to "
                "publish it; give each speaker's perception and robots a namespace of their own"
            )

    def _publish(self, reactions: list[Reaction]) -> None:
        if self._outdated():
            return
        model_id = self._loaded().model_id
        heard = self._heard
        for reaction in reactions:
            robot = self._robots.get((reaction.robot, reaction.sample))
            if robot is None:
                continue
            latency = self._since(reaction.stamp_ns)
            robot.publish(
                reaction_message(
                    reaction, model_id, heard.speaker_id, heard.header.frame_id, latency
                )
            )
            if nanoseconds(heard.header.stamp) >= reaction.stamp_ns:
                self.latency.add(latency)
        if reactions:
            self.reactions.tick()

    def _since(self, stamp_ns: int) -> float:
        """Seconds since a stamp; NaN while a simulated clock has not begun and shows 0."""
        now = self._now_ns()
        return (now - stamp_ns) / 1e9 if now > 0 else math.nan

    def _apply_parameters(self) -> None:
        """Profiles and betas are changed between two frames, never within one."""
        for (name, _), robot in self._robots.items():
            profile, beta = robot.wanted_profile(), robot.wanted_beta()
            profile_before, choice_before, beta_before = self._applied[name]
            # A choice that was made again may have read a file that has been replaced.
            choice = robot.chosen(profile) or choice_before
            self._applied[name] = profile, choice, beta
            if beta != beta_before:
                self._loaded().set_beta(name, beta)
            if profile != profile_before or choice is not choice_before:
                self._set_profile(name, robot, profile)

    def _set_profile(self, name: str, robot: Robot, profile: str) -> None:
        try:
            self._loaded().set_profile(name, robot.chosen(profile) or profile)
        except ProfileError as error:
            self._log.error(f"{name} keeps its profile: {error}")
        else:
            robot.profile_applied(profile)

    def _watch_speaker(self) -> None:
        """Say once that the speaker is lost, and once that there is one again."""
        lost = self._loaded().speaker_lost
        if lost and self._lost is False:
            self._log.warning("speaker lost: no face and no voice; faces go to neutral")
        elif not lost and self._lost is not False:
            self._log.info("speaker found" if self._lost is None else "speaker is back")
        self._lost = True if lost and self._lost is not None else (None if lost else False)

    def _loaded(self) -> ReactionEngine:
        assert self._engine is not None, "a bundle is loaded before anything else"
        return self._engine
