"""Pictures of faces, and what a frozen encoder makes of them, beside a corpus's other arrays."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.contract import FRAME_RATE
from perreactor_model.corpora.opening import open_corpus
from perreactor_model.corpora.recordings import CorpusError
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.video import read_pictures
from perreactor_model.preparation import PreparedCorpus, PreparedError
from perreactor_model.preparation.preparing import prepare
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.synthesis.corpus import CorpusPlan
from perreactor_model.synthesis.writing import write_corpus

SIDE = 64
CROPS = PreparationSettings(faces="crops", image_size=SIDE)


def picture(recording: int, frame: int) -> np.ndarray:
    """A grey level for each recording and time, and a light spot that walks."""
    image = np.full((96, 96, 3), 40 + 10 * (recording % 16), np.uint8)
    column = frame % 80
    image[30:60, column : column + 16] = 230
    return image


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In the layout of MARS, with videos of speakers at 30 frames a second."""
    root = tmp_path_factory.mktemp("faces") / "c"
    write_corpus(CorpusPlan("mars", listeners=5, sessions=1, seconds=4.0), root)
    for split in open_corpus(root).splits.values():
        for number in split.pairs[:, 0]:
            recording = split.recordings[number]
            path = root / split.name / "video-face-crop" / f"{recording.key}.mp4"
            with VideoWriter(path, 96, 96, 30) as video:
                for frame in range(120):
                    video.write(picture(int(number), frame), frame)
    return root


@pytest.fixture(scope="module")
def crops(corpus: Path) -> PreparedCorpus:
    return prepare(corpus, corpus.parent / "cache", CROPS)


def test_pictures_of_speakers_stand_at_their_frames(corpus: Path, crops: PreparedCorpus) -> None:
    for name, split in crops.splits.items():
        assert split.faces is not None and split.face_seen is not None
        assert split.faces.shape == (split.start[-1], SIDE, SIDE, 3)
        for speaker, listener in split.pairs:
            seen = split.face_seen[split.start[speaker] : split.start[speaker + 1]]
            assert seen.all()
            assert not split.face_seen[split.start[listener] : split.start[listener + 1]].any()
            recording = open_corpus(corpus).splits[name].recordings[speaker]
            shown = list(read_pictures(recording.files["video"], size=(SIDE, SIDE), frame_rate=25))
            for frame in (0, 37, 90):
                kept = split.faces[split.start[speaker] + frame].astype(int)
                assert np.abs(kept - shown[frame].image.astype(int)).mean() < 3.0


def test_who_is_never_a_speaker_takes_no_room(crops: PreparedCorpus) -> None:
    split = crops.splits["train"]
    state = (crops.folder / "train" / "faces.npy").stat()
    speakers = sum(split.frames(int(number)) for number in set(split.pairs[:, 0].tolist()))
    assert state.st_size > SIDE * SIDE * 3 * int(split.start[-1])
    if state.st_blocks * 512 == state.st_size:
        pytest.skip("this file system keeps zeros")
    assert state.st_blocks * 512 < SIDE * SIDE * 3 * (speakers + FRAME_RATE * 4)


def test_stopped_among_pictures_it_goes_on(
    corpus: Path, crops: PreparedCorpus, tmp_path: Path
) -> None:
    recordings = sum(len(split.keys) for split in crops.splits.values())

    def stop(done: int, total: int) -> None:
        if done == recordings + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(corpus, tmp_path, CROPS, progress=stop)
    told: list[int] = []
    cut = prepare(corpus, tmp_path, CROPS, progress=lambda done, total: told.append(done))
    assert told[0] == recordings + 3
    for path in crops.folder.rglob("*.npy"):
        assert (cut.folder / path.relative_to(crops.folder)).read_bytes() == path.read_bytes()


def test_in_scenes_without_a_face_nothing_is_seen(corpus: Path, tmp_path: Path) -> None:
    scenes = PreparationSettings(faces="crops", image_size=SIDE, pictures="scenes")
    split = prepare(corpus, tmp_path, scenes).splits["val"]
    assert split.face_seen is not None and not split.face_seen.any()


def test_a_changed_video_is_never_served_stale(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "c"
    shutil.copytree(corpus, root)
    before = prepare(root, tmp_path / "cache", CROPS)
    path = next((root / "val" / "video-face-crop").rglob("*.mp4"))
    with VideoWriter(path, 96, 96, 25) as video:
        for frame in range(100):
            video.write(np.full((96, 96, 3), 200, np.uint8), frame)
    after = prepare(root, tmp_path / "cache", CROPS)
    assert after.key != before.key
    faces = after.splits["val"].faces
    assert faces is not None and (np.asarray(faces).reshape(len(faces), -1) > 190).all(1).any()


def test_missing_and_short_videos_are_named(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "c"
    shutil.copytree(corpus, root)
    path = next((root / "val" / "video-face-crop").rglob("*.mp4"))
    with VideoWriter(path, 96, 96, 25) as video:
        for frame in range(40):
            video.write(picture(0, frame), frame)
    with pytest.raises(CorpusError, match="has 40 frames at 25 a second"):
        prepare(root, tmp_path / "cache", CROPS)
    path.unlink()
    with pytest.raises(CorpusError, match=r"1 files are missing .*video of speaker/"):
        prepare(root, tmp_path / "cache", CROPS)


def test_features_are_what_the_checkpoints_encoder_makes(corpus: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="an encoder needs torch")
    from perreactor_model.networks.checkpoint import save_checkpoint
    from perreactor_model.networks.config import ModelConfig
    from perreactor_model.networks.generator import ReactionGenerator
    from perreactor_model.vision.preprocess import network_input

    torch.manual_seed(0)
    small = ModelConfig(feature_size=32, feed_forward=32, visual_channels=16, image_size=SIDE)
    generator = ReactionGenerator(small).eval()
    save_checkpoint(generator, tmp_path / "seeing.ckpt")
    settings = PreparationSettings(faces="tokens", encoder=str(tmp_path / "seeing.ckpt"))
    split = prepare(corpus, tmp_path / "cache", settings).splits["val"]
    pictures = prepare(corpus, corpus.parent / "cache", CROPS).splits["val"].faces
    assert split.face_tokens is not None and pictures is not None and split.faces is None
    place = int(split.start[split.pairs[0, 0]]) + 11
    image = torch.from_numpy(network_input(pictures[place]))
    with torch.inference_mode():
        expected = generator.frame_encoder.face(image)[0].numpy()
    assert np.allclose(split.face_tokens[place], expected, atol=1e-4)

    blind = ReactionGenerator(replace(small, visual_input="facial_attributes"))
    save_checkpoint(blind, tmp_path / "blind.ckpt")
    with pytest.raises(PreparedError, match="must be one of face_image"):
        prepare(
            corpus,
            tmp_path / "cache",
            PreparationSettings(faces="tokens", encoder=str(tmp_path / "blind.ckpt")),
        )


def test_features_and_their_encoder_go_together(tmp_path: Path) -> None:
    with pytest.raises(PreparedError, match="go together"):
        PreparationSettings(faces="tokens")
    with pytest.raises(PreparedError, match="there is no checkpoint"):
        PreparationSettings(faces="tokens", encoder=str(tmp_path / "none.ckpt"))
