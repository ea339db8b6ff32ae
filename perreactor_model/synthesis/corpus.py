"""Who is in a synthetic corpus, and what they perform: all of it follows from a few numbers.

Splits share nobody and no script, so that what is measured on one was not learnt on another. Each
listener meets a speaker of their own in some of the split's scripts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model.contract import AU_SEMANTICS, FRAME_RATE
from perreactor_model.synthesis.dyad import Behaviour, Dyad, simulate
from perreactor_model.synthesis.observed import observe
from perreactor_model.synthesis.personas import Persona, draw_persona
from perreactor_model.synthesis.scripts import Script, draw_script
from perreactor_model.synthesis.seeds import stream
from perreactor_model.synthesis.voice import draw_microphone, speak

if TYPE_CHECKING:
    from perreactor_model.synthesis.rendering import Footage

LAYOUTS = ("react2024", "mars")
SPLITS = {"train": 0.6, "val": 0.2, "test": 0.2}
"""Share of the listeners in each."""

SYNTHETIC_NAME = "synthetic.json"
_FORMAT = 1
_SCRIPTS, _SPEAKERS, _LISTENERS, _DYADS, _OBSERVED, _VOICES, _MICROPHONES = range(7)
_LOOKS, _CAMERAS = 7, 8


class CorpusPlanError(ValueError):
    """A corpus that cannot be made, or a folder that holds none of ours."""


@dataclass(frozen=True)
class CorpusPlan:
    """The same plan is the same corpus, to the byte. Raises CorpusPlanError.

    listeners: in all splits together. sessions: of each listener. scripts: different ones in a
    split, 0 for as many as sessions. seconds: of a session. units: action units as `intensity` or
    `occurrence`. video: with pictures of everybody.
    """

    layout: str = "mars"
    listeners: int = 40
    sessions: int = 8
    scripts: int = 0
    seconds: float = 30.0
    seed: int = 0
    units: str = "intensity"
    video: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise CorpusPlanError(f"layout must be one of {', '.join(LAYOUTS)}, not {self.layout}")
        if self.units not in AU_SEMANTICS:
            raise CorpusPlanError(
                f"action units must be one of {', '.join(AU_SEMANTICS)}, not {self.units}"
            )
        if self.listeners < 5:
            raise CorpusPlanError(
                f"{self.listeners} listeners: 5 are needed for training, validation and test"
            )
        if self.sessions < 1 or self.scripts < 0 or self.seed < 0:
            raise CorpusPlanError("sessions must be 1 or more; scripts and seed 0 or more")
        if 0 < self.scripts < self.sessions:
            raise CorpusPlanError(
                f"{self.scripts} scripts for {self.sessions} sessions: each script is heard "
                "once, so give at least as many"
            )
        if not 4.0 <= self.seconds <= 3600.0:
            raise CorpusPlanError(f"sessions of {self.seconds:g} s: give 4 to 3600 s")

    @property
    def turns(self) -> bool:
        """Whether both talk, and each is the other's listener."""
        return self.layout == "react2024"

    @property
    def frames(self) -> int:
        """Of a session, 25 a second; REACT's clips have one more."""
        return round(self.seconds * FRAME_RATE) + (1 if self.turns else 0)

    def listeners_in(self, split: str) -> int:
        """How many of the listeners are in a split."""
        held_out = {name: max(1, round(self.listeners * SPLITS[name])) for name in ("val", "test")}
        return held_out.get(split, self.listeners - sum(held_out.values()))


@dataclass(frozen=True)
class Performance:
    """One session: the `index`-th of its split; `dyad` and `script` number people and scripts."""

    split: str
    index: int
    dyad: int
    session: int
    script: int


@dataclass(frozen=True)
class Recorded:
    """A person in a session as files hold them; 25 frames a second.

    attributes (T, 25), coefficients (T, 58), observed (T, 31; NaN unknown), sound at VOICE_RATE,
    movement (T, 76) as `rendering.Footage` takes it.
    """

    attributes: np.ndarray
    coefficients: np.ndarray
    observed: np.ndarray
    sound: np.ndarray
    movement: np.ndarray


class SyntheticCorpus:
    """All that a plan says, computed when asked for."""

    def __init__(self, plan: CorpusPlan) -> None:
        self.plan = plan

    @classmethod
    def open(cls, root: Path | str) -> SyntheticCorpus:
        """The corpus that was written to `root`. Raises CorpusPlanError."""
        path = Path(root) / SYNTHETIC_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CorpusPlanError(
                f"{root} is no synthetic corpus: it has no {SYNTHETIC_NAME}"
            ) from None
        except (OSError, ValueError) as error:
            raise CorpusPlanError(f"{path} cannot be read: {error}") from error
        if not isinstance(content, dict) or content.get("perreactor_synthetic") != _FORMAT:
            raise CorpusPlanError(f"{path} was written by another version: synthesize it again")
        return cls(CorpusPlan(**content["plan"]))

    def about(self) -> dict[str, Any]:
        """What `synthetic.json` holds: the plan, and who everybody is."""
        people = {
            split: {
                persona.name: persona.to_dict() for pair in self._people(split) for persona in pair
            }
            for split in SPLITS
        }
        plan = dataclasses.asdict(self.plan)
        return {"perreactor_synthetic": _FORMAT, "plan": plan, "people": people}

    def performances(self, split: str) -> tuple[Performance, ...]:
        """Sessions of a split in the order in which they are written and read."""
        plan = self.plan
        scripts = self.scripts_in(split)
        made = [
            # Rotation: listeners who follow each other share most of their scripts.
            (dyad, session, (dyad * max(1, plan.sessions // 2) + session) % scripts)
            for dyad in range(plan.listeners_in(split))
            for session in range(plan.sessions)
        ]
        if not plan.turns:
            made.sort(key=lambda each: (each[2], each[0]))
        return tuple(
            Performance(split, index, dyad, session, script)
            for index, (dyad, session, script) in enumerate(made)
        )

    def scripts_in(self, split: str) -> int:
        """How many scripts a split has."""
        return self.plan.scripts or self.plan.sessions

    def people(self, performance: Performance) -> tuple[Persona, Persona]:
        """Speaker and listener; persons 1 and 2 where they take turns."""
        return self._people(performance.split)[performance.dyad]

    def perform(self, performance: Performance, draw: int = 0, speaker_draw: int = 0) -> Dyad:
        """Simulate a session; another `draw` is another reaction of the listener."""
        speaker, listener = self.people(performance)
        return simulate(
            self._script(performance.split, performance.script),
            speaker,
            listener,
            self._seed(_DYADS, performance),
            draw=draw,
            speaker_draw=speaker_draw,
            units=self.plan.units,
        )

    def record(self, performance: Performance) -> tuple[Recorded, Recorded]:
        """Both persons of a session, cut to the plan's frames."""
        dyad, frames = self.perform(performance), self.plan.frames
        told = []
        for role, behaviour in enumerate((dyad.speaker, dyad.listener)):
            number = SPLIT_NUMBERS[performance.split]
            microphone = draw_microphone(
                stream((self.plan.seed, number, _MICROPHONES, performance.dyad, role))
            )
            voice = (*self._seed(_VOICES, performance), role)
            told.append(
                Recorded(
                    attributes=behaviour.attributes[:frames],
                    coefficients=behaviour.coefficients[:frames],
                    observed=observe(behaviour, (*self._seed(_OBSERVED, performance), role))[
                        :frames
                    ],
                    sound=speak(behaviour.speech, microphone, voice),
                    movement=_movement(behaviour)[:frames],
                )
            )
        return told[0], told[1]

    def film(
        self, performance: Performance, role: int, movement: np.ndarray, size: int, rate: int
    ) -> Footage:
        """Pictures of the person in `role` (0, 1) who moves so, `rate` frames a second."""
        from perreactor_model.synthesis.rendering import Footage, draw_appearance, draw_camera

        number = SPLIT_NUMBERS[performance.split]
        looks = stream((self.plan.seed, number, _LOOKS, performance.dyad, role))
        camera = (*self._seed(_CAMERAS, performance), role)
        return Footage(
            movement=movement,
            appearance=draw_appearance(looks),
            camera=draw_camera(stream(camera)),
            size=size,
            rate=rate,
            seed=camera,
        )

    def rows(self, split: str) -> list[tuple[Performance, bool]]:
        """Pairs of a split in the reader's order; True: persons 1 and 2 have changed roles."""
        performances = self.performances(split)
        rows = [(performance, False) for performance in performances]
        if self.plan.turns:
            rows += [(performance, True) for performance in performances]
        return rows

    def redraw(self, split: str, row: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
        """The listener of a row reacts anew: attributes (T, 25), coefficients (T, 58).

        The ceiling of any model: the same person, the same speaker, other luck. `draw` from 1 on.
        """
        performance, mirrored = self.rows(split)[row]
        if mirrored:
            behaviour = self.perform(performance, speaker_draw=draw).speaker
        else:
            behaviour = self.perform(performance, draw=draw).listener
        frames = self.plan.frames
        return behaviour.attributes[:frames], behaviour.coefficients[:frames]

    def appropriate(self, split: str) -> np.ndarray:
        """bool (N, N) in the order of `rows`: the same script, heard in the same role."""
        told = [(each.script, mirrored) for each, mirrored in self.rows(split)]
        numbers = {key: index for index, key in enumerate(dict.fromkeys(told))}
        which = np.array([numbers[key] for key in told])
        return np.asarray(which[:, None] == which[None, :])

    def _people(self, split: str) -> tuple[tuple[Persona, Persona], ...]:
        return self._everybody[split]

    @cached_property
    def _everybody(self) -> Mapping[str, tuple[tuple[Persona, Persona], ...]]:
        return {
            split: tuple(
                (
                    self._person(split, _SPEAKERS, dyad, "speaker"),
                    self._person(split, _LISTENERS, dyad, "listener"),
                )
                for dyad in range(self.plan.listeners_in(split))
            )
            for split in SPLITS
        }

    def _person(self, split: str, kind: int, dyad: int, name: str) -> Persona:
        numbers = (self.plan.seed, SPLIT_NUMBERS[split], kind, dyad)
        return draw_persona(stream(numbers), f"{split}-{name}-{dyad:03d}")

    def _script(self, split: str, script: int) -> Script:
        numbers = (self.plan.seed, SPLIT_NUMBERS[split], _SCRIPTS, script)
        seconds = self.plan.frames / FRAME_RATE
        return draw_script(stream(numbers), seconds, "turns" if self.plan.turns else "fixed")

    def _seed(self, kind: int, performance: Performance) -> tuple[int, ...]:
        number = SPLIT_NUMBERS[performance.split]
        return (self.plan.seed, number, kind, performance.dyad, performance.session)


def _movement(behaviour: Behaviour) -> np.ndarray:
    parts = (behaviour.intensities, behaviour.coefficients, behaviour.lids[:, None], behaviour.gaze)
    return np.concatenate(parts, axis=1).astype(np.float32)


SPLIT_NUMBERS = {split: number for number, split in enumerate(SPLITS)}
