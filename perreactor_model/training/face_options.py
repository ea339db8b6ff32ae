"""Options of `train face`, which teaches an encoder of pictures what one of attributes knows."""

from __future__ import annotations

from dataclasses import dataclass

from perreactor_model.training.checked import require_number, require_whole


@dataclass(frozen=True)
class FaceOptions:
    """How pictures of faces are varied while an encoder learns to read them (face).

    Each is the largest change; 0 leaves it out. shift: of place, as a share of the picture's side.
    scale: of width, and of height. light, contrast: as factors. colour: of each of red, green,
    blue. blur: standard deviation, pixels. noise: standard deviation, grey levels. held_out:
    pictures that are scored. Faces are never turned or mirrored: how a head is held is what shall
    be read. Raises OptionError.
    """

    shift: float = 0.05
    scale: float = 0.1
    light: float = 0.25
    contrast: float = 0.25
    colour: float = 0.15
    blur: float = 0.8
    noise: float = 5.0
    held_out: int = 2048

    def __post_init__(self) -> None:
        for name in ("shift", "scale", "light", "contrast", "colour"):
            require_number(f"face.{name}", getattr(self, name), 0.0, 0.9)
        require_number("face.blur", self.blur)
        require_number("face.noise", self.noise)
        require_whole("face.held_out", self.held_out, 2)
