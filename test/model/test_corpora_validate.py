"""All that can be wrong with a corpus is found in one walk, and sound ones are left alone."""

import json
import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.cli.main import main
from perreactor_model.corpora.recordings import CorpusError
from perreactor_model.corpus_checks import validating
from perreactor_model.corpus_checks.findings import RULES, CorpusFindings
from perreactor_model.corpus_checks.validating import validate
from perreactor_model.synthesis.corpus import CorpusPlan
from perreactor_model.synthesis.writing import write_corpus

SPLITS = ("train", "val", "test")
FRAMES = 76
NAMES = ",".join(f"c{number}" for number in range(25))


def faces(seed: int, frames: int = FRAMES) -> np.ndarray:
    """Attributes within their ranges, other ones for each seed."""
    generator = np.random.default_rng(seed)
    rows = generator.uniform(0.1, 0.9, (frames, 25))
    rows[:, 17:] /= rows[:, 17:].sum(axis=1, keepdims=True)
    return rows.astype(np.float32)


def write(path: Path, content: np.ndarray, rate: int = 16000) -> None:
    """A .wav of int16, a .csv with a header, or an .npy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(content.astype("<i2").tobytes())
    elif path.suffix == ".csv":
        np.savetxt(path, content, "%.5g", ",", header=NAMES, comments="")
    else:
        np.save(path, content)


def write_person(places: dict[str, Path], seed: int, frames: int = FRAMES, rate: int = 25) -> None:
    write(places["attributes"], faces(seed, frames))
    write(places["coefficients"], np.full((frames, 58), 0.1, np.float32))
    write(places["audio"], np.tile([900, -900], frames * 8000 // rate))


def react_places(root: Path, split: str, place: str) -> dict[str, Path]:
    return {
        "attributes": root / split / "Emotion" / f"{place}.csv",
        "coefficients": root / split / "3D_FV_files" / f"{place}.npy",
        "audio": root / split / "Audio_files" / f"{place}.wav",
        "observed": root / split / "Emotion_observed" / f"{place}.csv",
    }


def mars_places(root: Path, split: str, place: str) -> dict[str, Path]:
    return {
        "attributes": root / split / "facial-attributes" / f"{place}.npy",
        "coefficients": root / split / "coefficients" / f"{place}.npy",
        "audio": root / split / "audio" / f"{place}.wav",
        "observed": root / split / "facial-attributes-observed" / f"{place}.npy",
    }


@pytest.fixture(scope="module")
def sound_react(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of two persons in each split: listed by role, on disk as P1 and P2."""
    root = tmp_path_factory.mktemp("react")
    for number, split in enumerate(SPLITS):
        chat = f"NoXI/00{number}_Paris"
        lines = [",speaker_path,listener_path"]
        for clip in (1, 2):
            lines.append(f"{clip},{chat}/Expert_video/{clip},{chat}/Novice_video/{clip}")
            for person in (1, 2):
                places = react_places(root, split, f"{chat}/P{person}/{clip}")
                write_person(places, 100 * number + 10 * clip + person)
        (root / f"{split}.csv").write_text("\n".join(lines) + "\n")
        np.save(root / f"neighbour_emotion_{split}.npy", np.eye(4))
    return root


@pytest.fixture(scope="module")
def sound_mars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions of two dyads in each split."""
    root = tmp_path_factory.mktemp("mars")
    lines = ["split,role,session,stem,identity"]
    for number, split in enumerate(SPLITS):
        for session in (0, 1):
            for dyad in (0, 1):
                for person, role in enumerate(("speaker", "listener")):
                    stem = f"Camera-{split}-{dyad}"
                    place = f"{role}/session{session}/{stem}"
                    seed = 1000 * number + 100 * session + 10 * dyad + person
                    write_person(mars_places(root, split, place), seed, 90, 30)
                    lines.append(f"{split},{role},session{session},{stem},{split}-{role}-{dyad}")
    (root / "identities.csv").write_text("\n".join(lines) + "\n")
    (root / "personality").mkdir()
    (root / "personality" / "listener.csv").write_text("video_name,session,openness\n")
    return root


@pytest.fixture
def react(sound_react: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound_react, tmp_path / "corpus"))


@pytest.fixture
def mars(sound_mars: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound_mars, tmp_path / "corpus"))


def told(findings: CorpusFindings) -> dict[str, int]:
    return {name: each.count for name, each in findings.found.items()}


def clip(root: Path, kind: str) -> Path:
    """A file of the first person in training."""
    if (root / "train.csv").is_file():
        return react_places(root, "train", "NoXI/000_Paris/P1/1")[kind]
    return mars_places(root, "train", "listener/session0/Camera-train-0")[kind]


def frames_of(root: Path) -> int:
    return len(np.load(clip(root, "coefficients")))


def change(path: Path, rows: slice, columns: int | slice, value: float | np.ndarray) -> None:
    if path.suffix == ".csv":
        content = np.loadtxt(path, np.float32, delimiter=",", skiprows=1)
    else:
        content = np.load(path)
    content[rows, columns] = value
    write(path, content)


@pytest.mark.parametrize("layout", ["react2024", "mars"])
def test_a_sound_corpus_has_no_findings(layout: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue("sound_mars" if layout == "mars" else "sound_react")
    findings = validate(root)
    assert told(findings) == {} and findings.ok and findings.layout == layout
    assert findings.looked_at["train"]["pairs"] == 4
    # Recordings of 3 s: 4 in REACT's layout, 8 in MARS's.
    assert findings.looked_at["train"]["minutes"] == (0.4 if layout == "mars" else 0.2)
    assert told(validate(root, quick=True)) == {}


@pytest.mark.parametrize("layout", ["react2024", "mars"])
def test_what_is_synthesized_is_sound(layout: str, tmp_path: Path) -> None:
    write_corpus(CorpusPlan(layout, listeners=5, sessions=2, seconds=6.0), tmp_path / "corpus")
    assert told(validate(tmp_path / "corpus")) == {}


Damage = Callable[[Path], object]

IN_A_FILE: dict[str, tuple[Damage, dict[str, int], str]] = {
    "no sound": (lambda r: clip(r, "audio").unlink(), {"missing": 1}, "audio of "),
    "no coefficients": (lambda r: clip(r, "coefficients").unlink(), {"missing": 1}, "coefficients"),
    "junk": (lambda r: clip(r, "attributes").write_bytes(b"\xff\x00"), {"unreadable": 1}, "read"),
    "cut off": (
        lambda r: clip(r, "coefficients").write_bytes(clip(r, "coefficients").read_bytes()[:-9]),
        {"unreadable": 1},
        "cannot be read",
    ),
    "empty": (lambda r: clip(r, "coefficients").write_bytes(b""), {"unreadable": 1}, "No data"),
    "a head that does not end": (
        lambda r: clip(r, "coefficients").write_bytes(
            clip(r, "coefficients").read_bytes().replace(b"}", b" ", 1)
        ),
        {"unreadable": 1},
        "cannot be read",
    ),
    "sound without samples": (
        lambda r: clip(r, "audio").write_bytes(clip(r, "audio").read_bytes()[:36]),
        {"unreadable": 1},
        "cannot be read as WAV",
    ),
    "sound of junk": (lambda r: clip(r, "audio").write_bytes(b"RIFFxx"), {"unreadable": 1}, "WAV"),
    "columns": (
        lambda r: write(clip(r, "coefficients"), np.zeros((FRAMES, 57), np.float32)),
        {"shape": 1},
        "(76, 57)",
    ),
    "words": (
        lambda r: write(clip(r, "coefficients"), np.full((FRAMES, 58), "x")),
        {"unreadable": 1},
        "expected numbers",
    ),
    "no frame": (
        lambda r: write(clip(r, "attributes"), faces(0)[:0]),
        {"shape": 1},
        "holds no frame",
    ),
    "NaN": (
        lambda r: change(clip(r, "attributes"), slice(3, 5), 2, np.nan),
        {"not-finite": 1},
        "AU4 in 2 of",
    ),
    "infinite": (
        lambda r: change(clip(r, "coefficients"), slice(3, 4), 54, np.inf),
        {"not-finite": 1},
        "rotation_z in 1 of",
    ),
    "infinite observations": (
        lambda r: write(
            clip(r, "observed"),
            np.tile(np.where(np.arange(31) == 27, np.inf, np.nan), (frames_of(r), 1)),
        ),
        {"not-finite": 1},
        "rotation_z in",
    ),
    "intensities up to 5": (
        lambda r: change(clip(r, "attributes"), slice(3, 5), 7, 3.5),
        {"range": 1},
        "AU12 from 0.1",
    ),
    "affect": (
        lambda r: change(clip(r, "attributes"), slice(3, 5), 15, -1.5),
        {"range": 1},
        "valence from -1.5 to 0.8",
    ),
    "degrees": (
        lambda r: change(clip(r, "coefficients"), slice(3, 5), 53, 40.0),
        {"unlikely": 1},
        "rotation up to 40, expected 6.28",
    ),
    "expressions": (
        lambda r: change(clip(r, "attributes"), slice(0, 40), 17, 0.99),
        {"expressions": 1},
        "of the frames, such as 1.",
    ),
    "still": (
        lambda r: change(clip(r, "attributes"), slice(None), slice(None), faces(0)[0]),
        {"still": 1},
        "train/",
    ),
    "silence": (
        lambda r: write(clip(r, "audio"), np.zeros(48640)),
        {"silent": 1},
        ".wav",
    ),
    "rate": (
        lambda r: write(clip(r, "audio"), np.tile([9, -9], 6080), 4000),
        {"audio-rate": 1},
        "4000 Hz",
    ),
    "short sound": (
        lambda r: write(clip(r, "audio"), np.tile([9, -9], 8000)),
        {"misaligned": 1},
        "audio 25 frames",
    ),
    "long sound": (
        lambda r: write(clip(r, "audio"), np.tile([9, -9], 60000)),
        {"uneven": 1},
        "audio 187 frames",
    ),
    "other lengths": (
        lambda r: write(clip(r, "coefficients"), np.zeros((FRAMES // 2, 58), np.float32)),
        {"misaligned": 1, "misaligned-pair": 1},
        " (train) at 25 a second: attributes 7",
    ),
    "mean face": (
        lambda r: write(r / "mean_face.npy", np.zeros(52, np.float32)),
        {"shape": 1},
        "float32 of shape (52,): expected 58 numbers",
    ),
    "words for a mean face": (
        lambda r: (r / "mean_face.npy").write_text("0, 1"),
        {"unreadable": 1},
        "mean_face.npy cannot be read",
    ),
    "an unknown mean face": (
        lambda r: write(r / "mean_face.npy", np.full(58, np.nan)),
        {"not-finite": 1},
        "mean_face.npy",
    ),
}


@pytest.mark.parametrize("layout", ["react2024", "mars"])
@pytest.mark.parametrize("damage", IN_A_FILE)
def test_a_damaged_file_is_found_and_nothing_else(
    layout: str, damage: str, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue("mars" if layout == "mars" else "react")
    harm, expected, words = IN_A_FILE[damage]
    harm(root)
    findings = validate(root)
    assert told(findings) == expected
    (example,) = findings.found[next(iter(expected))].examples
    assert words in example and str(root) not in example


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def matrix(root: Path, rows: np.ndarray) -> None:
    np.save(root / "neighbour_emotion_train.npy", rows)


def with_entry(row: int, column: int, value: float) -> np.ndarray:
    rows = np.eye(4)
    rows[row, column] = value
    return rows


LINE = "2,NoXI/000_Paris/Expert_video/2,NoXI/000_Paris/Novice_video/2\n"

IN_REACT: dict[str, tuple[Damage, dict[str, int], str]] = {
    "a line of the index": (
        lambda r: replace_in(r / "train.csv", LINE, LINE + "3,what,ever\n"),
        {"index": 2},
        "train.csv, line 4: 'what' is no path",
    ),
    "an index of junk": (
        lambda r: (r / "val.csv").write_bytes(b"\xff\xfe\x00"),
        {"index": 1, "split-missing": 1},
        "val.csv cannot be read",
    ),
    "an index without pairs": (
        lambda r: (r / "val.csv").write_text(",speaker_path,listener_path\n"),
        {"index": 1, "split-missing": 1},
        "val.csv lists no pair",
    ),
    "a pair listed twice": (
        lambda r: (replace_in(r / "train.csv", LINE, LINE * 2), matrix(r, np.eye(6))),
        {"listed-twice": 1},
        "Expert_video/2 and",
    ),
    "a pair listed mirrored too": (
        lambda r: (
            replace_in(
                r / "train.csv",
                LINE,
                LINE + "3,NoXI/000_Paris/Novice_video/2,NoXI/000_Paris/Expert_video/2\n",
            ),
            matrix(r, np.eye(6)),
        ),
        {"listed-twice": 1},
        "Novice_video/2 and",
    ),
    "a pair with oneself": (
        lambda r: replace_in(r / "train.csv", "Novice_video/2", "Expert_video/2"),
        {"self": 1, "unlisted": 1, "alone": 1},
        "Expert_video/2 and NoXI/000_Paris/Expert_video/2",
    ),
    "a matrix of another size": (
        lambda r: matrix(r, np.eye(2)),
        {"matrix": 1},
        "has the shape (2, 2)",
    ),
    "a broken matrix": (
        lambda r: (r / "neighbour_emotion_train.npy").write_bytes(b""),
        {"matrix": 1},
        "cannot be read",
    ),
    "a row without the diagonal": (
        lambda r: matrix(r, np.roll(np.eye(4), 1, axis=1)),
        {"matrix-diagonal": 4},
        "row 0",
    ),
    "an empty row": (lambda r: matrix(r, with_entry(2, 2, 0)), {"matrix-empty": 1}, "row 2"),
    "a distance": (lambda r: matrix(r, with_entry(1, 3, 0.3)), {"matrix-value": 1}, "row 1: 0.3"),
    "no matrix": (
        lambda r: (r / "neighbour_emotion_train.npy").unlink(),
        {"matrix-missing": 1},
        "train",
    ),
    "somebody in two splits": (
        lambda r: (
            shutil.copytree(r / "train", r / "val", dirs_exist_ok=True),
            shutil.copy(r / "train.csv", r / "val.csv"),
        ),
        {"shared-identity": 2, "shared-recording": 4, "unlisted": 4},
        "NoXI/000_Paris/Expert_video: train, val",
    ),
    "a copy": (
        lambda r: shutil.copy(
            clip(r, "attributes"),
            react_places(r, "train", "NoXI/000_Paris/P2/1")["attributes"],
        ),
        {"copies": 1},
        "Expert_video/1 (train), NoXI/000_Paris/Novice_video/1 (train)",
    ),
    "files that are not listed": (
        lambda r: (
            write_person(react_places(r, "train", "NoXI/000_Paris/P2/3"), 77),
            clip(r, "attributes").with_name("._1.csv").write_bytes(b"junk"),
        ),
        {"unlisted": 1},
        "train/Emotion/NoXI/000_Paris/P2/3.csv",
    ),
    "persons of different length": (
        lambda r: write_person(react_places(r, "train", "NoXI/000_Paris/P2/1"), 78, 150),
        {"misaligned-pair": 1},
        "76 and 150 frames",
    ),
    "persons of slightly different length": (
        lambda r: write_person(react_places(r, "train", "NoXI/000_Paris/P2/1"), 78, 90),
        {"uneven": 1},
        "76 and 90 frames",
    ),
    "a single clip": (
        lambda r: (
            replace_in(r / "val.csv", "\n2,", "\n1,"),
            (r / "val.csv").write_text("\n".join((r / "val.csv").read_text().split("\n")[:2])),
            np.save(r / "neighbour_emotion_val.npy", np.eye(2)),
        ),
        {"alone": 2, "unlisted": 2},
        "(val)",
    ),
}


IN_MARS: dict[str, tuple[Damage, dict[str, int], str]] = {
    "one person of a dyad": (
        lambda r: clip(r, "attributes").unlink(),
        {"unpaired": 1, "identities": 2, "alone": 1},
        "speaker/session0/Camera-train-0.npy: train/facial-attributes/listener/session0",
    ),
    "nobody in a split": (
        lambda r: shutil.rmtree(r / "val" / "facial-attributes" / "listener"),
        {"index": 2, "identities": 8, "split-missing": 1},
        "the attributes of listeners are expected there",
    ),
    "no identities": (
        lambda r: (r / "identities.csv").unlink(),
        {"identities": 1},
        "identities.csv is missing",
    ),
    "identities without a column": (
        lambda r: replace_in(r / "identities.csv", "identity\n", "who\n"),
        {"index": 1, "identities": 24},
        "lacks the columns identity",
    ),
    "a line of identities": (
        lambda r: replace_in(r / "identities.csv", "0,Camera-val-1,val-listener-1", "0"),
        # Without the line this session is of somebody unknown: each of the two has one.
        {"index": 1, "identities": 1, "alone": 2},
        "identities.csv, line 13: expected split, role",
    ),
    "somebody in two splits": (
        lambda r: replace_in(r / "identities.csv", "val-speaker-0", "train-speaker-0"),
        {"shared-identity": 1},
        "train-speaker-0: train, val",
    ),
    "a stray file": (
        lambda r: write(clip(r, "attributes").parent / "deep" / "x.npy", faces(0)),
        {"unlisted": 1},
        "deep/x.npy",
    ),
}


@pytest.mark.parametrize(
    ("layout", "damage"),
    [("react", each) for each in IN_REACT] + [("mars", each) for each in IN_MARS],
)
def test_a_damaged_index_matrix_or_dyad_is_found(
    layout: str, damage: str, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue(layout)
    harm, expected, words = (IN_REACT if layout == "react" else IN_MARS)[damage]
    harm(root)
    findings = validate(root)
    assert told(findings) == expected
    assert words in findings.found[next(iter(expected))].examples[0]


def master(root: Path, value: np.ndarray, clips: list[str]) -> None:
    np.save(root / "Approprirate_facial_reaction.npy", value)
    (root / "data_indices.csv").write_text("\n".join(["site,chat_index,clip_index", *clips]) + "\n")


ALL_CLIPS = [f"NoXI,00{number}_Paris,{number_of}" for number in range(3) for number_of in (1, 2)]


def test_a_master_matrix_is_compared_with_those_of_the_splits(react: Path) -> None:
    master(react, np.eye(12), ALL_CLIPS)
    assert told(validate(react)) == {}
    (react / "neighbour_emotion_val.npy").unlink()
    assert told(validate(react)) == {}
    master(react, np.ones((12, 12)), ALL_CLIPS)
    assert told(validate(react)) == {"matrix-differs": 2}
    # What is wrong with it is told for each split.
    master(react, np.eye(10), ALL_CLIPS)
    assert told(validate(react)) == {"matrix": 3}
    master(react, np.full((12, 12), "x"), ALL_CLIPS)
    assert "expected numbers" in validate(react).found["matrix"].examples[0]
    (react / "data_indices.csv").write_bytes(b"\xff\xfe\x00")
    assert "data_indices.csv cannot be read" in validate(react).found["matrix"].examples[0]


def test_clips_that_the_master_matrix_does_not_know_are_named(react: Path) -> None:
    (react / "neighbour_emotion_val.npy").unlink()
    master(react, np.eye(12), [*ALL_CLIPS[:3], "NoXI", *ALL_CLIPS[4:]])
    findings = validate(react)
    assert told(findings) == {"matrix-unmatched": 1}
    assert "NoXI/001_Paris/Expert_video/2" in findings.found["matrix-unmatched"].examples[0]


def test_videos_are_looked_at_where_there_are_any(react: Path) -> None:
    videos = react / "train" / "Video_files" / "NoXI/000_Paris"
    for number, frames in ((1, FRAMES), (2, 20)):
        folder = videos / f"P{number}" / "1"
        folder.mkdir(parents=True)
        for frame in range(frames):
            (folder / f"{frame + 1}.png").touch()
    (videos / "P1" / "2.mp4").write_bytes(b"no video")
    found = told(validate(react))
    assert found == {"misaligned": 1, "unreadable": 1, "missing-some": 1}
    assert told(validate(react, quick=True)) == {"missing-some": 1}


def test_counts_go_by_column_and_examples_are_few(react: Path) -> None:
    for place in ("P1/1", "P1/2", "P2/1"):
        path = react_places(react, "train", f"NoXI/000_Paris/{place}")["attributes"]
        change(path, slice(0, 9), 0, 2.0)
        change(path, slice(0, 9), 15, 2.0)
    finding = validate(react, examples=2).found["range"]
    assert finding.count == 6 and len(finding.examples) == 2
    assert finding.columns == {"AU1": 3, "valence": 3}


def test_a_table_without_a_header_is_no_fault(react: Path) -> None:
    path = clip(react, "attributes")
    path.write_text(path.read_text().split("\n", 1)[1])
    assert told(validate(react)) == {}


@pytest.mark.slow
def test_other_processes_find_the_same(react: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    IN_A_FILE["NaN"][0](react)
    IN_A_FILE["no sound"][0](react)
    monkeypatch.setattr(validating, "FEW", 2)
    steps: list[tuple[int, int]] = []
    one = validate(react, workers=1)
    two = validate(react, workers=2, progress=lambda *step: steps.append(step))
    assert one.to_dict() == two.to_dict() and not two.ok
    assert steps[-1] == (12, 12)


def test_the_command_tells_and_fails_on_errors_alone(
    react: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(react)]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    write(clip(react, "audio"), np.zeros(48640))
    assert main(["validate", str(react), "--workers", "1"]) == 0
    assert "warning: silent recordings: 1  (was the microphone on?)" in capsys.readouterr().out
    clip(react, "coefficients").unlink()
    assert main(["validate", str(react), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["findings"]["missing"]["count"] == 1 and not result["ok"]
    assert main(["validate", str(react), "--quick", "--examples", "0"]) == 1
    text = capsys.readouterr().out
    assert "ERROR: missing files: 1  (add the file" in text and "quick look" in text


def test_what_is_no_corpus_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CorpusError, match="is no corpus we know"):
        validate(tmp_path)
    assert main(["validate", str(tmp_path)]) == 2
    assert "is no corpus we know" in capsys.readouterr().err


def test_every_rule_is_held_here() -> None:
    held = {rule for _, expected, _ in IN_A_FILE.values() for rule in expected}
    held |= {rule for _, expected, _ in IN_REACT.values() for rule in expected}
    held |= {rule for _, expected, _ in IN_MARS.values() for rule in expected}
    held |= {"matrix-unmatched", "matrix-differs", "missing-some"}
    assert held == set(RULES)
