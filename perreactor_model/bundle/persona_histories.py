"""Histories to make profiles from: of personas, simulated, or from files of attributes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perreactor_model.bundle.trained import SIMULATED
from perreactor_model.profiles import ListenerHistory, ProfileError
from perreactor_model.profiles.sources import history_of_attributes
from perreactor_model.synthesis.dyad import persona_history
from perreactor_model.synthesis.personas import (
    SHIPPED_PERSONAS,
    Persona,
    load_persona,
    shipped_persona,
)

_PERSONA_FILES = (".yaml", ".yml")


def histories(chosen: Sequence[str], seconds: float, seed: int) -> dict[str, ListenerHistory]:
    """By name of the profile. Each of `chosen` is a shipped persona's name, a persona's YAML file,
    or a file of attributes, whose name is the profile's.

    Raises PersonaError, ProfileError for two of one name, AttributeFileError, OSError.
    """
    found: dict[str, ListenerHistory] = {}
    for text in chosen:
        name, history = _history(text, seconds, seed)
        if name in found:
            raise ProfileError(f"two profiles are called '{name}': rename one of the files")
        found[name] = history
    return found


def simulated_history(persona: Persona, seconds: float, seed: int) -> ListenerHistory:
    """As a face analyzer would see this persona listen to strangers for so long."""
    # Another seed for each name: not everybody has listened to the same stranger.
    rows = persona_history(persona, seconds, (seed, *persona.name.encode()))
    source = {"kind": SIMULATED, "persona": persona.to_dict(), "seed": seed}
    return ListenerHistory.from_columns(np.asarray(rows, np.float32), source)


def _history(text: str, seconds: float, seed: int) -> tuple[str, ListenerHistory]:
    path = Path(text)
    if path.suffix in _PERSONA_FILES:
        persona = load_persona(path)
        return persona.name, simulated_history(persona, seconds, seed)
    if text in SHIPPED_PERSONAS:
        return text, simulated_history(shipped_persona(text), seconds, seed)
    if not path.is_file():
        raise FileNotFoundError(
            f"'{text}' is neither a file nor one of the personas {', '.join(SHIPPED_PERSONAS)}"
        )
    return path.name.partition(".")[0], history_of_attributes(path)
