"""Action units: rest is 0, actions grow; blinks and hidden parts of the face mislead nobody."""

import numpy as np
import pytest

from perreactor_model.contract import ACTION_UNITS
from perreactor_model.face_analysis.action_units import ActionUnitReader, intensities
from perreactor_model.face_analysis.measurements import MEASUREMENTS
from perreactor_model.face_analysis.neutral import NeutralFace
from perreactor_model.face_analysis.observation import Knowledge

FRAME_NS = 40_000_000
REST = np.full(len(MEASUREMENTS), 0.1, np.float32)


def neutral_face() -> NeutralFace:
    return NeutralFace.from_recording(np.tile(REST, (10, 1)))


def face(**changes: float) -> np.ndarray:
    """The face at rest with these stems (both sides) or measurements changed."""
    measurements = REST.copy()
    for name, change in changes.items():
        chosen = [
            index
            for index, full in enumerate(MEASUREMENTS)
            if full in (name, f"{name}_right", f"{name}_left")
        ]
        assert chosen, name
        measurements[chosen] += change
    return measurements


def unit(values: np.ndarray, name: str) -> float:
    return float(values[ACTION_UNITS.index(name)])


def smile(strength: float) -> np.ndarray:
    return face(corner_up=0.08 * strength, corner_out=0.07 * strength, upper_lip=0.03 * strength)


def test_a_face_at_rest_reads_nothing_and_knows_all_but_au23() -> None:
    values = intensities(REST, neutral_face())
    known = np.isfinite(values)
    assert [name for name, sure in zip(ACTION_UNITS, known, strict=True) if not sure] == ["AU23"]
    assert (values[known] == 0.0).all()


def test_noise_at_rest_stays_inside_the_dead_zones() -> None:
    random = np.random.default_rng(0)
    rows = REST + random.normal(0, 0.002, (100, len(REST))).astype(np.float32)
    neutral = NeutralFace.from_recording(rows)
    reader = ActionUnitReader()
    fresh = REST + random.normal(0, 0.002, (500, len(REST))).astype(np.float32)
    read = np.array(
        [reader.read(row, neutral, k * FRAME_NS).intensities for k, row in enumerate(fresh)]
    )
    assert np.nanmean(read) < 0.002
    assert np.nanmax(read) < 0.15


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("AU1", {"brow_inner": 0.06}),
        ("AU2", {"brow_outer": 0.06}),
        ("AU4", {"brow_inner": -0.03}),
        ("AU7", {"lower_lid": 0.02, "eye_opening": -0.03}),
        ("AU12", {"corner_up": 0.08, "corner_out": 0.07, "upper_lip": 0.03}),
        ("AU15", {"corner_up": -0.05}),
        ("AU25", {"lip_gap": 0.1}),
        ("AU26", {"jaw_drop": 0.1, "chin_drop": 0.1}),
    ],
)
def test_the_unit_of_an_action_comes_first_and_grows_with_it(
    name: str, full: dict[str, float]
) -> None:
    rows = [
        intensities(face(**{stem: share * value for stem, value in full.items()}), neutral_face())
        for share in np.linspace(0, 1, 9)
    ]
    track = [unit(row, name) for row in rows]
    assert (np.diff(track) >= 0).all()
    assert track[-1] > 0.8
    assert ACTION_UNITS[int(np.nanargmax(rows[-1]))] == name


def test_intensities_stay_between_0_and_1_for_impossible_faces() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        wild = (REST + random.normal(0, 1, len(REST))).astype(np.float32)
        values = intensities(wild, neutral_face())
        values = values[np.isfinite(values)]
        assert (values >= 0).all() and (values <= 1).all()


def test_one_side_of_a_smile_counts_half() -> None:
    one_sided = face(
        corner_up_left=0.08, corner_out_left=0.07, upper_lip_left=0.03
    )  # the right side rests
    full = unit(intensities(smile(1.0), neutral_face()), "AU12")
    half = unit(intensities(one_sided, neutral_face()), "AU12")
    assert 0.3 * full < half < 0.6 * full


def test_the_visible_side_speaks_for_both() -> None:
    seen = smile(1.0)
    seen[[i for i, name in enumerate(MEASUREMENTS) if name.endswith("_right")]] = np.nan
    values = intensities(seen, neutral_face())
    assert unit(values, "AU12") == pytest.approx(
        unit(intensities(smile(1.0), neutral_face()), "AU12"), abs=0.02
    )


def test_a_covered_mouth_is_unknown_and_the_brows_are_still_read() -> None:
    seen = face(brow_inner=0.06, brow_outer=0.06)
    mouth = ("lip", "corner", "philtrum", "chin", "jaw")
    seen[[i for i, name in enumerate(MEASUREMENTS) if name.startswith(mouth)]] = np.nan
    seen[[i for i, name in enumerate(MEASUREMENTS) if "lip" in name]] = np.nan
    reading = ActionUnitReader().read(seen, neutral_face(), 0)
    for name in ("AU10", "AU12", "AU14", "AU15", "AU17", "AU24", "AU25", "AU26"):
        index = ACTION_UNITS.index(name)
        assert np.isnan(reading.intensities[index])
        assert reading.knowledge[index] == Knowledge.UNKNOWN
    assert unit(reading.intensities, "AU1") > 0.8
    assert reading.knowledge[ACTION_UNITS.index("AU1")] == Knowledge.MEASURED


def test_before_the_neutral_is_known_every_unit_is_unknown() -> None:
    assert np.isnan(intensities(REST, NeutralFace())).all()


def test_a_turned_head_needs_more_before_a_unit_is_read() -> None:
    slight = smile(0.35)
    ahead = unit(intensities(slight, neutral_face(), np.zeros(3)), "AU12")
    turned = unit(intensities(slight, neutral_face(), np.array([0.0, 0.45, 0.0])), "AU12")
    tilted = unit(intensities(slight, neutral_face(), np.array([0.0, 0.0, 0.45])), "AU12")
    assert turned < ahead
    assert tilted == ahead


BLINK = (0.3, 0.9, 0.9, 0.5, 0.15)


def closed(share: float) -> np.ndarray:
    """Lids closed by a share; brows and cheeks follow, as the mesh lets them."""
    return face(
        eye_opening=-0.09 * share, upper_lid=-0.07 * share, lower_lid=0.012 * share,
        brow_inner=-0.03 * share, cheek=0.03 * share, nose_wing=0.02 * share,
    )  # fmt: skip


def test_a_blink_reads_nothing_in_the_upper_face() -> None:
    reader, neutral = ActionUnitReader(), neutral_face()
    lids = [0.0] * 10 + list(BLINK) + [0.0] * 10
    read = np.array(
        [
            reader.read(closed(share), neutral, k * FRAME_NS).intensities
            for k, share in enumerate(lids)
        ]
    )
    for name in ("AU1", "AU2", "AU4", "AU6", "AU7", "AU9"):
        assert read[:, ACTION_UNITS.index(name)].max() < 0.05, name


def test_a_blink_does_not_interrupt_raised_brows() -> None:
    reader, neutral = ActionUnitReader(), neutral_face()
    lids = [0.0] * 15 + list(BLINK) + [0.0] * 5
    brows = face(brow_inner=0.05, brow_outer=0.05) - REST
    track = [
        unit(reader.read(closed(share) + brows, neutral, k * FRAME_NS).intensities, "AU1")
        for k, share in enumerate(lids)
    ]
    assert min(track[10:]) > 0.9 * track[10]


def test_tightened_lids_that_are_held_are_read() -> None:
    reader, neutral = ActionUnitReader(), neutral_face()
    shares = [0.0] * 10 + [0.25, 0.5, 0.75] + [1.0] * 10
    track = [
        unit(
            reader.read(
                face(lower_lid=0.02 * share, eye_opening=-0.03 * share), neutral, k * FRAME_NS
            ).intensities,
            "AU7",
        )
        for k, share in enumerate(shares)
    ]
    assert track[-1] > 0.7


def test_eyes_that_stay_closed_leave_lids_and_cheeks_unknown_until_they_open() -> None:
    reader, neutral = ActionUnitReader(), neutral_face()
    rows = [0.0] * 10 + [1.0] * 40 + [0.0] * 10
    read = np.array(
        [
            reader.read(closed(share), neutral, k * FRAME_NS).intensities
            for k, share in enumerate(rows)
        ]
    )
    assert np.isnan(read[45, [ACTION_UNITS.index("AU6"), ACTION_UNITS.index("AU7")]]).all()
    assert unit(read[-1], "AU7") == 0.0


def test_wide_vowels_are_not_dimples() -> None:
    reader, neutral = ActionUnitReader(), neutral_face()
    read = [
        unit(
            reader.read(
                face(corner_out=0.04, lip_gap=0.05 * abs(np.sin(0.6 * k))), neutral, k * FRAME_NS
            ).intensities,
            "AU14",
        )
        for k in range(50)
    ]
    assert max(read[5:]) < 0.1


def test_dimples_of_closed_lips_are_read() -> None:
    reader, neutral = ActionUnitReader(), neutral_face()
    for k in range(10):
        reading = reader.read(face(corner_out=0.035), neutral, k * FRAME_NS)
    assert unit(reading.intensities, "AU14") > 0.5


def test_an_onset_is_read_within_a_frame() -> None:
    reader, neutral = ActionUnitReader(), neutral_face()
    for k in range(10):
        reader.read(REST, neutral, k * FRAME_NS)
    first = unit(reader.read(smile(1.0), neutral, 10 * FRAME_NS).intensities, "AU12")
    assert first > 0.5
