"""`perreactor profile`: made from files, listed, shown, compared and deleted; mistakes are told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from perreactor_model.bundle.manifest import DEFAULT_BUNDLE, Bundle
from perreactor_model.bundle.synthetic import LISTENERS, Traits, listener_history
from perreactor_model.cli.main import main
from perreactor_model.face_analysis.choice import landmarks_installed
from perreactor_model.profiles import ListenerProfile, ProfileStore, profile_folder

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of profiles; the current folder is empty too."""
    monkeypatch.setenv("PERREACTOR_PROFILES", str(tmp_path / "mine"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "mine"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A file with 24 s of somebody."""
    return written(tmp_path / "alice.npy", 600)


def written(path: Path, frames: int, traits: Traits = LISTENERS["warm"]) -> Path:
    np.save(path, listener_history(traits, np.random.default_rng(1), frames))
    return path


def command(bundle: Bundle, action: str, *words: object) -> int:
    return main(["profile", action, *map(str, words), "--bundle", str(bundle.path)])


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_the_default_bundle_is_that_of_the_nodes() -> None:
    config = Path(__file__).parents[2] / "config" / "reactor.yaml"
    parameters = yaml.safe_load(config.read_text())["/**"]["ros__parameters"]
    assert parameters["bundle"] == DEFAULT_BUNDLE


def test_a_profile_is_made_kept_and_told_how_to_use(
    tiny_bundle: Bundle, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tiny_bundle, "create", "alice", "--attributes", history) == 0
    out, err = capsys.readouterr()
    assert "ros2 param set /robot_a/reactor listener_profile alice" in out
    assert err.count("\n") == 1 and "untrained" in err
    profile = ProfileStore(tiny_bundle).get("alice")
    assert profile.provenance["source"]["file"] == "alice.npy"
    folder = profile_folder(tiny_bundle.model_id)
    assert [path.name for path in folder.iterdir()] == ["alice.json"]


def test_a_profile_made_for_scripts_is_one_object(
    tiny_bundle: Bundle, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tiny_bundle, "create", "alice", "--attributes", history, "--json") == 0
    record = told(capsys)
    assert record["made"] is True
    assert record["quality"]["verdict"] == "ok"
    assert ListenerProfile.load(Path(record["path"])).name == "alice"


def test_a_refusal_tells_the_figures_and_the_reason_and_leaves_nothing(
    tiny_bundle: Bundle, tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = written(tmp_path / "short.npy", 100)
    assert command(tiny_bundle, "create", "alice", "--attributes", short) == 2
    out, err = capsys.readouterr()
    assert "quality    refused" in out
    assert "it lasts 4.0 s; at least 10 s are needed" in err
    assert command(tiny_bundle, "create", "alice", "--attributes", short, "--json") == 2
    assert told(capsys)["quality"]["verdict"] == "refused"
    assert not mine.exists()


def test_a_kept_history_makes_the_same_profile_again(
    tiny_bundle: Bundle, tiny_attributes_bundle: Bundle, history: Path
) -> None:
    words = ("create", "alice", "--attributes", history, "--keep-history")
    assert command(tiny_bundle, *words) == 0
    kept = profile_folder(tiny_bundle.model_id) / "alice.history.npz"
    assert command(tiny_bundle, "create", "again", "--attributes", kept) == 0
    store = ProfileStore(tiny_bundle)
    assert store.get("again").pattern.tobytes() == store.get("alice").pattern.tobytes()
    assert command(tiny_attributes_bundle, "create", "alice", "--attributes", kept) == 0


def test_a_replaced_profile_leaves_no_older_history_behind(
    tiny_bundle: Bundle, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("create", "alice", "--attributes", history)
    assert command(tiny_bundle, *words, "--keep-history") == 0
    assert command(tiny_bundle, *words) == 2
    assert "--replace" in capsys.readouterr().err
    assert command(tiny_bundle, *words, "--replace") == 0
    assert not list(profile_folder(tiny_bundle.model_id).glob("*.npz"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["generic", "--attributes", "F"], "cannot name a profile"),
        (["two words", "--attributes", "F"], "cannot name a profile"),
        (["warm", "--attributes", "F"], "came with bundle"),
        (["alice", "--attributes", "nowhere.npz"], "there is no file"),
        (["alice", "--video", "nowhere.mp4"], "nowhere.mp4"),
        (["alice", "--attributes", "F", "--topic", "/image"], "give --bag too"),
        (["alice", "--attributes", "F", "--person", "3"], "no person 3"),
        (["alice", "--attributes", "F", "--person", "bob"], "a person's number"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(
    tiny_bundle: Bundle,
    history: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    reason: str,
) -> None:
    given = [str(history) if word == "F" else word for word in words]
    assert command(tiny_bundle, "create", *given) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert err.count("\n") == 1


def test_one_of_two_people_is_taken_by_number(
    tiny_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from perreactor_model.face_analysis.attribute_files import AttributeTrack, write_attributes

    rows = listener_history(LISTENERS["lively"], np.random.default_rng(0), 800)
    track = AttributeTrack.of_attributes(rows[:, :25], rows[:, 25:28], rows[:, 28:])
    track.person[500:] = 2
    write_attributes(track, tmp_path / "two.npz")
    words = ("create", "alice", "--attributes", tmp_path / "two.npz")
    assert command(tiny_bundle, *words) == 2
    assert "person 1 for 20.0 s, person 2 for 12.0 s" in capsys.readouterr().err
    assert command(tiny_bundle, *words, "--person", "1", "--json") == 0
    assert told(capsys)["seconds"] == 20.0
    assert command(tiny_bundle, *words, "--person", "all", "--replace", "--json") == 0
    assert told(capsys)["seconds"] == 32.0


def test_a_folder_of_ones_own_is_written_to_and_looked_into(
    tiny_bundle: Bundle, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    assert command(tiny_bundle, "create", "alice", "--attributes", history, "--out", folder) == 0
    assert f"parameter profiles is {folder}" in capsys.readouterr().out
    assert (folder / "alice.json").is_file()
    assert command(tiny_bundle, "list", "--folder", folder, "--json") == 0
    (entry,) = (each for each in told(capsys)["profiles"] if each["name"] == "alice")
    assert entry["place"] == str(folder)
    assert command(tiny_bundle, "delete", "alice", "--folder", folder) == 0
    assert not list(folder.iterdir())


def test_the_list_marks_what_is_for_other_bundles_or_broken(
    tiny_bundle: Bundle,
    tiny_attributes_bundle: Bundle,
    history: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(tiny_bundle, "create", "alice", "--attributes", history)
    command(tiny_attributes_bundle, "create", "bob", "--attributes", history)
    (profile_folder(tiny_bundle.model_id) / "carol.json").write_text("{}")
    capsys.readouterr()
    assert command(tiny_bundle, "list") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "user" in lines["alice"] and " ok " in lines["alice"] and "24.0" in lines["alice"]
    assert "bundle" in lines["warm"]
    assert lines["bob"].startswith("bob *")
    assert "unreadable" in lines["carol"]
    assert command(tiny_bundle, "list", "--json") == 0
    fits = {each["name"]: each["fits"] for each in told(capsys)["profiles"]}
    assert fits == dict.fromkeys(["alice", "warm", "lively", "reserved", "stoic"], True) | {
        "bob": False,
        "carol": False,
    }


def test_only_ones_own_profiles_are_deleted_with_their_history(
    tiny_bundle: Bundle, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(tiny_bundle, "create", "alice", "--attributes", history, "--keep-history")
    capsys.readouterr()
    assert command(tiny_bundle, "delete", "warm") == 2
    assert "came with bundle" in capsys.readouterr().err
    assert command(tiny_bundle, "delete", "alise") == 2
    assert "did you mean alice?" in capsys.readouterr().err
    assert command(tiny_bundle, "delete", "alice", "--json") == 0
    assert len(told(capsys)["deleted"]) == 2
    assert not list(profile_folder(tiny_bundle.model_id).iterdir())


@pytest.mark.parametrize("name", ["*", "../alice", "al*", ""])
def test_nothing_is_deleted_but_by_its_exact_name(
    tiny_bundle: Bundle, history: Path, name: str
) -> None:
    command(tiny_bundle, "create", "alice", "--attributes", history)
    assert command(tiny_bundle, "delete", name) == 2
    assert (profile_folder(tiny_bundle.model_id) / "alice.json").exists()


def test_somebody_is_forgotten_for_all_bundles(
    tiny_bundle: Bundle,
    tiny_attributes_bundle: Bundle,
    history: Path,
    mine: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for bundle in (tiny_bundle, tiny_attributes_bundle):
        command(bundle, "create", "alice", "--attributes", history)
    assert command(tiny_bundle, "delete", "alice") == 0
    capsys.readouterr()
    assert command(tiny_bundle, "delete", "alice") == 2
    assert "--all-bundles" in capsys.readouterr().err
    assert command(tiny_bundle, "delete", "alice", "--all-bundles") == 0
    assert not list(mine.rglob("*.json"))


def test_a_listener_is_shown_beside_the_average(
    tiny_bundle: Bundle, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    command(tiny_bundle, "create", "alice", "--attributes", history)
    capsys.readouterr()
    assert command(tiny_bundle, "show", "alice") == 0
    out = capsys.readouterr().out
    assert "Smiling" in out and "made-up" in out
    assert Path("alice.png").read_bytes().startswith(PNG)
    assert command(tiny_bundle, "show", "alice", "--out", "other.png", "--json") == 0
    record = told(capsys)
    assert record["traits"]["smile_share"] > 0
    assert set(record["alike"]) == {"warm", "lively", "reserved", "stoic"}
    assert Path("other.png").read_bytes() == Path("alice.png").read_bytes()


def test_a_profile_without_traits_is_shown_by_its_pattern(
    tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    pattern = np.ones(tiny_bundle.config.feature_size, np.float32)
    by_hand = ListenerProfile("hand", tiny_bundle.model_id, pattern)
    by_hand.save(profile_folder(tiny_bundle.model_id))
    assert command(tiny_bundle, "show", "hand") == 0
    out = capsys.readouterr().out
    assert "No traits were kept" in out
    assert "beside warm" in out
    assert Path("hand.png").is_file()


def test_two_listeners_are_compared_with_a_picture_on_request(
    tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert command(tiny_bundle, "compare", "warm", "stoic") == 0
    assert "cosine" in capsys.readouterr().out
    assert not list(Path().iterdir())
    words = ("compare", "warm", "stoic", "--out", "both.png", "--json")
    assert command(tiny_bundle, *words) == 0
    record = told(capsys)
    assert -1 <= record["cosine"] < 1
    assert record["traits"]["warm"]["smile_share"] > record["traits"]["stoic"]["smile_share"]
    assert Path("both.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("name", "reason"), [("generic", "a control condition"), ("wram", "did you mean 'warm'")]
)
def test_what_has_no_pattern_cannot_be_shown(
    tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    assert command(tiny_bundle, "show", name) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.slow
def test_a_video_of_a_person_becomes_a_profile(
    tiny_bundle: Bundle, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not landmarks_installed():
        pytest.skip("the analyzer needs mediapipe")
    video = Path(__file__).parents[2] / "resource" / "speaker" / "speaker.mp4"
    assert command(tiny_bundle, "create", "alice", "--video", video, "--json") == 0
    record = told(capsys)
    assert record["quality"]["visible_share"] > 0.95
    assert record["traits"]["mouth_activity"] > 1.5  # she talks
    kept = [path for path in mine.rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["alice.json"]
    assert kept[0].stat().st_size < 20_000


def test_numbers_too_large_for_a_trait_are_left_out_of_what_is_shown(
    tiny_bundle: Bundle, history: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(tiny_bundle, "create", "alice", "--attributes", history)
    path = mine / tiny_bundle.model_id / "alice.json"
    record = json.loads(path.read_text())
    record["provenance"]["traits"]["valence"] = 10**400
    record["provenance"]["seconds"] = 10**400
    path.write_text(json.dumps(record))
    capsys.readouterr()
    assert command(tiny_bundle, "show", "alice") == 0
    assert "some seconds used" in capsys.readouterr().out
