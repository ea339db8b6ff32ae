"""Predictions are checked once, and mistakes are told with their place."""

import errno
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.metrics import clips as storage
from perreactor_model.metrics.clips import stored
from perreactor_model.metrics.predictions import Predictions, PredictionsError

N, M, T = 3, 2, 6


def arrays(**changes) -> dict:
    draw = np.random.default_rng(0)
    given = {
        "prediction": draw.random((N, M, T, 25), np.float32),
        "listener": draw.random((N, T, 25), np.float32),
        "speaker": draw.random((N, T, 25), np.float32),
        "appropriate": np.eye(N, dtype=bool),
    }
    return given | changes


def written(folder: Path, save=np.savez, **changes) -> Path:
    path = folder / "predictions.npz"
    save(path, **{name: array for name, array in arrays(**changes).items() if array is not None})
    return path


def spoilt(name: str, place: tuple[int, ...], value: float) -> dict:
    array = arrays()[name].copy()
    array[place] = value
    return {name: array}


def without(row: int, column: int) -> np.ndarray:
    matrix = np.eye(N, dtype=bool)
    matrix[row] = False
    matrix[row, column] = column != row
    return matrix


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_reads_as_the_arrays_do_stored_or_compressed(tmp_path, save):
    read = Predictions.from_file(written(tmp_path, save, identity=np.arange(N)))
    held = Predictions.from_arrays(**arrays(identity=np.arange(N)))
    for name in ("prediction", "listener", "speaker"):
        for one, other in zip(getattr(read, name), getattr(held, name), strict=True):
            assert np.array_equal(one, other)
            assert one.flags.aligned
    assert np.array_equal(read.appropriate, held.appropriate)
    assert np.array_equal(read.identity, held.identity)


def test_an_array_in_fortran_order_reads_the_same(tmp_path):
    turned = np.asfortranarray(arrays()["prediction"])
    read = Predictions.from_file(written(tmp_path, prediction=turned))
    assert np.array_equal(read.prediction[1], turned[1])


def test_a_large_array_is_mapped_a_clip_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "MAPPED_WHOLE", 0)
    read = Predictions.from_file(written(tmp_path))
    assert np.array_equal(read.prediction[-1], arrays()["prediction"][-1])
    assert len(read.prediction[1:]) == N - 1
    with pytest.raises(IndexError):
        read.prediction[N]


def test_mapped_predictions_travel_to_another_process_as_places(tmp_path):
    big = np.zeros((N, 50, 100, 25), np.float32)
    read = Predictions.from_file(written(tmp_path, prediction=big))
    message = pickle.dumps(read)
    assert len(message) < 20_000
    assert np.array_equal(pickle.loads(message).listener[2], arrays()["listener"][2])


def test_clips_in_memory_are_stored_with_their_lengths(tmp_path):
    ragged = [np.full((M, length, 25), length, np.float32) for length in (4, 6, 5)]
    kept = stored(ragged, tmp_path, "prediction")
    assert all(np.array_equal(one, other) for one, other in zip(kept, ragged, strict=True))
    assert stored(kept, tmp_path, "again") is kept


def test_padded_clips_are_cut_to_their_frames_and_padding_is_not_looked_at(tmp_path):
    padded = spoilt("prediction", (1, 0, 4, 0), np.nan)
    read = Predictions.from_file(written(tmp_path, **padded, frames=np.array([6, 4, 1])))
    assert [clip.shape[1] for clip in read.prediction] == [6, 4, 1]
    assert [clip.shape[0] for clip in read.listener] == [6, 4, 1]
    held = Predictions.from_arrays(**arrays(**padded), frames=[6, 4, 1])
    assert [clip.shape[1] for clip in held.prediction] == [6, 4, 1]


def test_clips_of_unequal_length_come_as_a_list():
    ragged = [np.zeros((M, length, 25)) for length in (4, 6, 5)]
    held = Predictions.from_arrays(**arrays(prediction=ragged))
    assert (held.clips, held.samples) == (3, M)


def test_neighbours_and_those_of_the_same_person_are_found():
    fits = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]])
    held = Predictions.from_arrays(**arrays(appropriate=fits, identity=["a", "b", "a"]))
    assert held.neighbours(0).tolist() == [0, 2]
    assert held.personal(0).tolist() == [True, True]
    assert held.personal(2).tolist() == [True, False, True]


def test_unknown_channels_may_hold_anything():
    known = np.ones(25, bool)
    known[3] = False
    held = Predictions.from_arrays(
        **arrays(**spoilt("listener", (0, 0, 3), np.nan)), channels=known
    )
    assert not held.channels[3]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            spoilt("prediction", (2, 1, 5, 7), np.nan),
            "prediction is nan at clip 2, sample 1, frame 5, channel 7 (AU12)",
        ),
        (
            spoilt("listener", (1, 0, 15), np.inf),
            "listener is inf at clip 1, frame 0, channel 15 (valence)",
        ),
        (spoilt("speaker", (0, 3), np.nan), "channel 0 (AU1) (24 more in this clip)"),
        ({"appropriate": without(1, 1)}, "row 1 of appropriate is empty"),
        ({"appropriate": without(2, 0)}, "appropriate[2, 2] is false"),
        ({"appropriate": np.ones((N, N + 1), bool)}, "must have shape (3, 3)"),
        ({"appropriate": np.full((N, N), 0.5)}, "only true and false"),
        ({"identity": np.arange(N + 1)}, "identity must hold one name or number for each of the 3"),
        ({"listener": np.zeros((N + 1, T, 25))}, "listener holds 4 clips, prediction 3"),
        ({"listener": np.zeros((N, T, 58))}, "listener must have shape (N, T, 25)"),
        ({"prediction": np.zeros((N, T, 25))}, "its axis of samples: array[:, None]"),
        ({"prediction": np.zeros((N, 0, T, 25))}, "is empty"),
        ({"prediction": np.zeros((0, M, T, 25))}, "empty"),
        ({"prediction": np.zeros((N, M, T, 25), complex)}, "real numbers, not complex128"),
        ({"frames": np.array([1, 7, 1])}, "frames[1] is 7, but prediction holds 6"),
        ({"frames": np.array([1, 1, 0])}, "frames[2] is 0"),
        ({"frames": np.array([1.0, 1, 1])}, "one whole number for each of the 3 clips"),
        ({"channels": np.zeros(25, bool)}, "no attribute is known"),
        ({"channels": np.ones(24, bool)}, "(25,) bool"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path, changes, told):
    with pytest.raises(PredictionsError) as from_arrays:
        Predictions.from_arrays(**arrays(**changes))
    assert told in str(from_arrays.value)
    with pytest.raises(PredictionsError) as from_file:
        Predictions.from_file(written(tmp_path, **changes))
    assert told in str(from_file.value)


def test_samples_must_be_as_many_for_every_clip():
    clips = [np.zeros((count, T, 25)) for count in (2, 2, 3)]
    with pytest.raises(PredictionsError, match="2 samples for clip 0 and 3 for clip 2"):
        Predictions.from_arrays(**arrays(prediction=clips))


def test_a_missing_array_is_named_beside_those_there_are(tmp_path):
    with pytest.raises(PredictionsError, match=r"lacks listener: .* it holds prediction, speaker"):
        Predictions.from_file(written(tmp_path, listener=None))


def test_what_is_no_such_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Predictions.from_file(tmp_path / "nowhere.npz")
    bare = tmp_path / "bare.npy"
    np.save(bare, np.zeros(3))
    with pytest.raises(PredictionsError, match=r"is no \.npz file"):
        Predictions.from_file(bare)


def test_objects_are_never_unpickled(tmp_path):
    path = written(tmp_path, appropriate=np.array([["x"] * N] * N, object))
    with pytest.raises(PredictionsError, match="'appropriate' cannot be read: .*Python objects"):
        Predictions.from_file(path)


def test_a_file_cut_short_within_an_array_is_refused(tmp_path):
    whole = written(tmp_path)
    short = tmp_path / "short.npz"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(short, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            cut = content[:-100] if info.filename == "prediction.npy" else content
            target.writestr(info.filename, cut)
    with pytest.raises(PredictionsError, match="'prediction' cannot be read: it is shorter"):
        Predictions.from_file(short)
    truncated = tmp_path / "truncated.npz"
    truncated.write_bytes(whole.read_bytes()[:-300])
    with pytest.raises(PredictionsError, match="damaged"):
        Predictions.from_file(truncated)


def test_an_array_that_was_damaged_in_its_file_is_refused(tmp_path):
    path = written(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(arrays()["listener"].tobytes()) + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(PredictionsError, match="array 'listener' .*damaged"):
        Predictions.from_file(path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_value_too_large_to_be_squared_and_summed_is_refused_by_place(dtype):
    speaker = arrays()["speaker"].astype(dtype)
    speaker[1, 4, 2] = -1e20
    with pytest.raises(PredictionsError, match="speaker is -1.* at clip 1, frame 4, channel 2"):
        Predictions.from_arrays(**arrays(speaker=speaker))


def test_without_room_to_unpack_a_compressed_file_it_is_said_what_to_do(tmp_path, monkeypatch):
    def full(*files) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = written(tmp_path, np.savez_compressed)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="unpacked to .*: No space left .*numpy.savez"):
        Predictions.from_file(path)
