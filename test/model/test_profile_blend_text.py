"""What a text like `alice:0.5+stoic:0.5` is read as, and what its parts stand for."""

from pathlib import Path

import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.profiles import ListenerProfile, ProfileError, ProfileStore, parse_blend


@pytest.mark.parametrize("name", ["alice", "generic", "replay:/a+b:1.npy"])
def test_a_name_alone_is_a_blend_of_one(name: str) -> None:
    assert parse_blend(name) == ((name, 1.0),)


def test_weights_are_made_to_sum_to_one() -> None:
    assert parse_blend("alice:1+stoic:3") == (("alice", 0.25), ("stoic", 0.75))


def test_spaces_do_not_matter() -> None:
    assert parse_blend(" alice : 1 + stoic : 1 ") == (("alice", 0.5), ("stoic", 0.5))


def test_a_name_that_comes_twice_weighs_the_sum() -> None:
    assert parse_blend("alice:1+stoic:2+alice:1") == (("alice", 0.5), ("stoic", 0.5))


def test_what_weighs_nothing_is_left_out() -> None:
    assert parse_blend("alice:0+stoic:0.2") == (("stoic", 1.0),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("alice+stoic", "say how much of 'alice'"),
        ("alice:0.5+stoic", "say how much of 'stoic'"),
        ("alice:+stoic:1", "say how much of 'alice'"),
        ("alice:-1+stoic:2", "the weight of 'alice' is '-1'"),
        ("alice:nan+stoic:2", "a number of 0 or more"),
        ("alice:inf+stoic:2", "a number of 0 or more"),
        ("alice:1e308+stoic:1e308", "at most 1000000"),
        ("alice:half+stoic:2", "'half'"),
        ("alice:0+stoic:0", "has no weight"),
        ("alice:0.5+", "without a name"),
        (":0.5+stoic:0.5", "without a name"),
        ("alice:0.5+replay:x.npy", "a replay cannot be part of a blend"),
        ("alice:0.5", r"alice:0\.5\+generic:0\.5"),
        ("+".join(["alice:1"] * 17), "at most 16"),
    ],
)
def test_a_blend_that_cannot_be_meant_is_refused_with_what_can(text: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        parse_blend(text)


def test_parts_are_profiles_and_names_of_control_conditions(tiny_bundle: Bundle) -> None:
    parts = ProfileStore(tiny_bundle).resolve("warm:1+generic:1+neutral:2")
    assert [weight for _, weight in parts] == [0.25, 0.25, 0.5]
    assert isinstance(parts[0][0], ListenerProfile)
    assert [part for part, _ in parts[1:]] == ["generic", "neutral"]


def test_a_replay_stands_for_itself(tiny_bundle: Bundle, tmp_path: Path) -> None:
    assert ProfileStore(tiny_bundle).resolve("replay:nowhere.csv") == [("replay:nowhere.csv", 1.0)]


def test_a_blend_is_checked_part_by_part(tiny_bundle: Bundle) -> None:
    store = ProfileStore(tiny_bundle)
    store.check("warm:0.5+stoic:0.5")
    with pytest.raises(ProfileError, match=r"unknown profile 'warn' \(did you mean 'warm'\?\)"):
        store.check("warn:0.5+stoic:0.5")


def test_mime_is_no_part_where_the_bundle_cannot_mime(tiny_image_bundle: Bundle) -> None:
    with pytest.raises(ProfileError, match="'mime' copies the speaker's facial attributes"):
        ProfileStore(tiny_image_bundle).check("mime:0.5+warm:0.5")


def test_a_part_too_small_to_weigh_anything_is_left_out() -> None:
    assert parse_blend("alice:5e-324+stoic:1e6") == (("stoic", 1.0),)
