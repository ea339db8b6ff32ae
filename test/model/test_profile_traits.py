"""Traits in numbers and words: each follows what the face does, and only that."""

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import ATTRIBUTES, neutral_attributes
from perreactor_model.profiles import ListenerProfile, ProfileStore
from perreactor_model.profiles.comparison import average_of, nearest, similarity, traits_of
from perreactor_model.profiles.traits import TRAITS, measure_traits
from perreactor_model.profiles.wording import TRAIT_WORDS, UNIT_WORDS, against_average, summary

SECONDS = np.arange(750) / 25


def at_rest() -> np.ndarray:
    rows = np.zeros((750, 31), np.float32)
    rows[:, :25] = neutral_attributes()
    return rows


def traits(rows: np.ndarray) -> dict:
    return measure_traits(rows, (), True)


def test_a_face_at_rest_has_no_traits_to_speak_of() -> None:
    told = traits(at_rest())
    assert not any(told[name] for name in TRAITS)


def test_smiling_is_the_part_of_the_time_with_a_smile() -> None:
    rows = at_rest()
    rows[:300, ATTRIBUTES.index("AU12")] = 0.6
    told = traits(rows)
    assert told["smile_share"] == 0.4
    assert told["expressivity"] > 0
    assert told["brow_activity"] == told["mouth_activity"] == 0


@pytest.mark.parametrize(("unit", "trait"), [("AU2", "brow_activity"), ("AU26", "mouth_activity")])
def test_each_part_of_the_face_moves_its_own_trait(unit: str, trait: str) -> None:
    rows = at_rest()
    rows[:, ATTRIBUTES.index(unit)] = 0.5 - 0.5 * np.cos(np.pi * SECONDS)
    told = traits(rows)
    assert told[trait] == pytest.approx(1.0, abs=0.05)  # up and down once in 2 s
    others = {"brow_activity", "mouth_activity", "head_speed"} - {trait}
    assert not any(told[name] for name in others)


def test_nods_are_counted_and_turns_of_the_head_are_not_nods() -> None:
    rows = at_rest()
    rows[:, 25] = np.radians(4) * np.maximum(0, np.sin(2 * np.pi * SECONDS)) ** 2
    nodding = traits(rows)
    assert nodding["nods_per_minute"] == pytest.approx(60, abs=4)
    turned = at_rest()
    turned[:, 26] = rows[:, 25]
    assert traits(turned)["nods_per_minute"] == 0
    assert traits(turned)["head_speed"] == pytest.approx(nodding["head_speed"])


def test_a_nod_of_several_cycles_is_one_nod() -> None:
    rows = at_rest()
    nodding = np.sin(np.pi * 2.4 * SECONDS) ** 2 * (SECONDS % 5 < 1.25)
    rows[:, 25] = np.radians(5) * nodding + np.radians(3) * np.sin(2 * np.pi * SECONDS / 15)
    assert traits(rows)["nods_per_minute"] == pytest.approx(12, abs=1)


def test_slow_bowing_is_posture_and_not_nodding() -> None:
    rows = at_rest()
    rows[:, 25] = np.radians(8) * np.sin(2 * np.pi * SECONDS / 15)
    assert traits(rows)["nods_per_minute"] <= 4


def test_what_is_unknown_has_no_number() -> None:
    told = measure_traits(at_rest(), ("AU12", "valence"), False)
    assert "AU12" not in told["units"]
    assert not {"smile_share", "valence", "head_speed", "nods_per_minute"} & told.keys()


def test_every_trait_and_unit_has_words() -> None:
    assert set(TRAIT_WORDS) == set(TRAITS)
    assert list(UNIT_WORDS) == list(ATTRIBUTES[:15])


def test_differences_are_said_as_people_say_them() -> None:
    assert against_average("smile_share", 0.5, 0.1) == "much more than average"
    assert against_average("smile_share", 0.1, 0.11) == "about average"
    assert against_average("valence", -0.3, 0.1) == "less happy than average"
    person = {"smile_share": 0.5, "nods_per_minute": 5, "valence": 0.0}
    average = {"smile_share": 0.1, "nods_per_minute": 8, "valence": 0.0}
    told = summary(person, average, "alice", "the average")
    assert told == "alice smiles much more and nods less than the average."
    assert summary(average, average, "bob", "alice") == "bob is much like alice."


def test_the_bundles_own_listeners_make_an_average_that_says_it_is_made_up(
    tiny_bundle: Bundle,
) -> None:
    own = ProfileStore(tiny_bundle).readable()
    average = average_of(own)
    assert average is not None
    assert average.synthetic
    assert set(average.traits) == set(TRAITS)
    means = [traits_of(each)["valence"] for each in own]
    assert average.traits["valence"] == pytest.approx(np.mean(means))
    assert average_of(own[:1]) is None


def test_patterns_are_compared_by_their_angle(tiny_bundle: Bundle) -> None:
    pattern = np.tile([1.0, -1.0], 16).astype(np.float32)
    one = ListenerProfile("one", "b", pattern)
    assert similarity(one, ListenerProfile("same", "b", pattern)).distance == 0
    found = similarity(one, ListenerProfile("opposite", "b", -pattern))
    assert (found.cosine, found.distance) == pytest.approx((-1.0, 2.0))
    with pytest.raises(ValueError, match="different bundles"):
        similarity(one, ListenerProfile("other", "c", pattern))
    own = ProfileStore(tiny_bundle).readable()
    alike = nearest(own[0], own)
    assert own[0].name not in [name for name, _ in alike]
    assert [found.cosine for _, found in alike] == sorted(
        (found.cosine for _, found in alike), reverse=True
    )


@pytest.mark.parametrize(
    "kept", [None, 3, {"valence": "high"}, {"valence": float("nan")}, {"units": [1]}]
)
def test_traits_that_somebody_broke_are_left_out(kept: object) -> None:
    profile = ListenerProfile("alice", "b", np.ones(4, np.float32), {"traits": kept})
    assert traits_of(profile) == {}
