"""Profiles are found by name, refused when they are not this bundle's, and never half-loaded."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.profiles import ListenerProfile, ProfileError, ProfileStore
from perreactor_model.streaming.controls import make_control
from perreactor_model.streaming.frames import SpeakerFrame


def profile(bundle: Bundle, name: str = "alice", size: int | None = None) -> ListenerProfile:
    pattern = np.linspace(-1, 1, size or bundle.config.feature_size, dtype=np.float32)
    return ListenerProfile(name, bundle.model_id, pattern, {"source": "test"})


def test_a_saved_profile_loads_with_the_same_numbers(tiny_bundle: Bundle, tmp_path: Path) -> None:
    saved = profile(tiny_bundle)
    loaded = ListenerProfile.load(saved.save(tmp_path))
    assert loaded.name == "alice"
    assert loaded.provenance == {"source": "test"}
    assert loaded.pattern.tobytes() == saved.pattern.tobytes()


def test_a_profile_made_after_the_start_is_found_at_once(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    store = ProfileStore(tiny_bundle, [tmp_path])
    assert "alice" not in store.names()
    profile(tiny_bundle).save(tmp_path)
    assert "alice" in store.names()
    store.check("alice")


def test_the_shipped_personalities_and_the_controls_are_known(tiny_bundle: Bundle) -> None:
    names = ProfileStore(tiny_bundle).names()
    assert {"generic", "neutral", "random", "warm", "lively", "reserved", "stoic"} <= set(names)


def test_an_unknown_name_lists_the_known_ones(tiny_bundle: Bundle) -> None:
    with pytest.raises(ProfileError, match="unknown profile 'alice'; known: generic, .*warm"):
        ProfileStore(tiny_bundle).get("alice")


def test_a_profile_of_another_bundle_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    foreign = ListenerProfile("alice", "other-0123456789ab", profile(tiny_bundle).pattern)
    foreign.save(tmp_path)
    with pytest.raises(ProfileError, match="made with bundle other-0123456789ab"):
        ProfileStore(tiny_bundle, [tmp_path]).check("alice")


def test_a_file_that_was_renamed_is_refused_by_both_names(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    profile(tiny_bundle).save(tmp_path).rename(tmp_path / "bob.json")
    with pytest.raises(ProfileError, match=r"bob\.json.*'alice'"):
        ProfileStore(tiny_bundle, [tmp_path]).get("bob")


def test_a_pattern_of_the_wrong_size_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    profile(tiny_bundle, size=7).save(tmp_path)
    with pytest.raises(ProfileError, match="7 values"):
        ProfileStore(tiny_bundle, [tmp_path]).get("alice")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 9, "name": "alice"}'])
def test_a_broken_file_is_refused_by_its_path(
    tiny_bundle: Bundle, tmp_path: Path, text: str
) -> None:
    (tmp_path / "alice.json").write_text(text)
    with pytest.raises(ProfileError, match=r"alice\.json"):
        ProfileStore(tiny_bundle, [tmp_path]).get("alice")


@pytest.mark.parametrize("pattern", [["a"], [[1.0], [1.0, 2.0]], {}, None])
def test_a_pattern_of_no_numbers_is_refused_by_its_path(
    tiny_bundle: Bundle, tmp_path: Path, pattern: object
) -> None:
    record = {"format": 1, "name": "alice", "bundle": "x", "pattern": pattern}
    (tmp_path / "alice.json").write_text(json.dumps(record))
    with pytest.raises(ProfileError, match=r"alice|finite"):
        ProfileStore(tiny_bundle, [tmp_path]).get("alice")


def test_files_that_are_no_text_and_folders_are_refused(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.json").mkdir()
    for name in ("bytes", "folder"):
        with pytest.raises(ProfileError, match=name):
            ProfileStore(tiny_bundle, [tmp_path]).check(name)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "no\nnumbers\n", None])
def test_a_replay_that_could_not_be_played_is_refused_when_it_is_chosen(
    tiny_bundle: Bundle, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "reaction.csv"
    if content is not None:
        path.write_text(content)
    with warnings.catch_warnings(), pytest.raises(ProfileError):
        warnings.simplefilter("ignore")  # numpy's remark on an empty file
        ProfileStore(tiny_bundle).check(f"replay:{path}")


@pytest.mark.parametrize("file", ["x" * 5000, "\0", "", "archive.npy", "objects.npy"])
def test_a_replay_of_a_strange_file_is_refused(
    tiny_bundle: Bundle, tmp_path: Path, file: str
) -> None:
    with (tmp_path / "archive.npy").open("wb") as archive:
        np.savez(archive, rows=np.zeros((5, 25)))
    np.save(tmp_path / "objects.npy", np.array([None, {}], object), allow_pickle=True)
    with pytest.raises(ProfileError):
        ProfileStore(tiny_bundle).check(f"replay:{tmp_path}/{file}")


def test_a_pattern_that_is_not_finite_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    path = profile(tiny_bundle).save(tmp_path)
    record = json.loads(path.read_text())
    record["pattern"][3] = float("nan")
    path.write_text(json.dumps(record))
    with pytest.raises(ProfileError, match="finite"):
        ProfileStore(tiny_bundle, [tmp_path]).get("alice")


@pytest.mark.parametrize("name", ["generic", "mime", "two words", "", "../up", "replay:x"])
def test_names_that_would_be_confused_are_refused(tiny_bundle: Bundle, name: str) -> None:
    with pytest.raises(ProfileError, match="cannot name a profile"):
        profile(tiny_bundle, name=name)


def frame(index: int) -> SpeakerFrame:
    return SpeakerFrame(index, 0, index * 40_000_000, np.zeros(4, np.float32), True, True)


def test_replay_loops_a_recorded_reaction(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).uniform(0, 1, (5, 25)).astype(np.float32)
    np.save(tmp_path / "reaction.npy", rows)
    control = make_control(f"replay:{tmp_path / 'reaction.npy'}", 0, "robot_a", 0)
    attributes, coefficients = control.at(frame(7))
    assert np.array_equal(attributes, rows[2])
    assert not coefficients.any()


@pytest.mark.parametrize("path", ["/dev/zero", "/nowhere.npy", "/", "x" * 5000])
def test_a_replay_of_what_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        make_control(f"replay:{path}", 0, "robot_a", 0)


def test_a_replay_of_the_wrong_width_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "reaction.npy", np.zeros((5, 24)))
    with pytest.raises(ProfileError, match=r"\(5, 24\), expected rows of 25"):
        make_control(f"replay:{tmp_path / 'reaction.npy'}", 0, "robot_a", 0)


def test_random_covers_the_ranges_and_ignores_the_speaker() -> None:
    control = make_control("random", 0, "robot_a", 0)
    rows = np.array([control.at(frame(index))[0] for index in range(1500)])
    assert rows[:, :15].mean() == pytest.approx(0.5, abs=0.05)
    assert rows[:, 15:17].min() < -0.8
    assert np.allclose(rows[:, 17:].sum(axis=1), 1.0, atol=1e-5)


def test_mime_copies_what_is_known_of_the_speaker_and_is_neutral_elsewhere() -> None:
    speaker = frame(0)
    speaker.attributes[7] = 0.8
    attributes, coefficients = make_control("mime", 0, "robot_a", 0).at(speaker)
    assert attributes[7] == np.float32(0.8)
    assert attributes[17] == 1.0
    assert np.isfinite(coefficients).all()


def test_mime_stays_within_the_contracts_ranges() -> None:
    speaker = frame(0)
    speaker.attributes[:3] = [7.0, -1.0, np.inf]
    speaker.coefficients[0] = -np.inf
    attributes, coefficients = make_control("mime", 0, "robot_a", 0).at(speaker)
    assert attributes[:3].tolist() == [1.0, 0.0, 0.0]
    assert np.isfinite(coefficients).all()


def test_mimicry_of_a_speaker_whose_face_nobody_measures_says_what_it_needs(
    tiny_image_bundle: Bundle,
) -> None:
    with pytest.raises(ProfileError, match="'mime' copies .* use a bundle that sees facial"):
        ProfileStore(tiny_image_bundle).check("mime")


def test_a_replay_of_a_file_that_is_not_there_says_where_it_was_looked_for(
    tiny_image_bundle: Bundle,
) -> None:
    with pytest.raises(ProfileError, match="there is no file .*nowhere.csv"):
        ProfileStore(tiny_image_bundle).check("replay:/nowhere.csv")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pattern", [10**400]),
        ("pattern", [1e300]),
        ("pattern", [3e38]),
        ("bundle", 5),
        ("bundle", None),
        ("provenance", None),
        ("provenance", []),
    ],
)
def test_a_profile_edited_into_nonsense_is_refused(
    tiny_bundle: Bundle, tmp_path: Path, key: str, value: object
) -> None:
    path = profile(tiny_bundle).save(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ProfileError, match=r"alice"):
        ListenerProfile.load(path)
