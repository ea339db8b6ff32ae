"""A prepared corpus of simulated people, small enough to be made in every test session."""

from pathlib import Path

import numpy as np

from perreactor_model.contract import AUDIO_FEATURE_COUNT, COEFFICIENT_COUNT
from perreactor_model.preparation.prepared import PreparedCorpus
from perreactor_model.preparation.storing import (
    About,
    PreparedRecording,
    write_about,
    write_split,
)
from perreactor_model.synthesis.dyad import Behaviour, simulate
from perreactor_model.synthesis.observed import observe
from perreactor_model.synthesis.personas import draw_persona
from perreactor_model.synthesis.scripts import draw_script
from perreactor_model.synthesis.seeds import stream

LISTENERS = {"train": 4, "val": 2, "test": 2}
SESSIONS = 3
SECONDS = 12.0


def make_tiny_corpus(folder: Path) -> PreparedCorpus:
    """Each listener hears the same three scripts of the split, told by a speaker of their own."""
    splits = {}
    for number, (name, listeners) in enumerate(LISTENERS.items()):
        scripts = [draw_script(stream((number, k)), SECONDS) for k in range(SESSIONS)]
        recordings, pairs, told = [], [], []
        for who in range(listeners):
            speaker = draw_persona(stream((number, 1, who)), f"{name}-speaker-{who}")
            listener = draw_persona(stream((number, 2, who)), f"{name}-listener-{who}")
            for session, script in enumerate(scripts):
                dyad = simulate(script, speaker, listener, (number, 3, who, session))
                pairs.append((len(recordings), len(recordings) + 1))
                told.append(session)
                for persona, behaviour in ((speaker, dyad.speaker), (listener, dyad.listener)):
                    recordings.append(_recording(persona.name, session, behaviour))
        fits = np.array(told)[:, None] == np.array(told)
        splits[name] = write_split(folder, name, recordings, np.array(pairs), fits)
    about = About("tiny", {}, np.zeros(COEFFICIENT_COUNT, np.float32), True, "intensity")
    return write_about(folder, splits, about)


def _recording(who: str, session: int, behaviour: Behaviour) -> PreparedRecording:
    """Loudness and pitch stand where audio features would."""
    frames = len(behaviour.attributes)
    audio = np.zeros((frames, AUDIO_FEATURE_COUNT), np.float32)
    audio[:, :2] = 10.0 * behaviour.speech.energy[:, None]
    audio[:, 2:4] = behaviour.speech.pitch[:, None] / 20.0
    return PreparedRecording(
        key=f"{who}/{session}",
        identity=who,
        session=str(session),
        attributes=behaviour.attributes,
        coefficients=behaviour.coefficients,
        observed=observe(behaviour, (session, len(who))),
        audio=audio,
    )
