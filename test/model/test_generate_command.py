"""`perreactor generate` on the authors' checkpoints, offline and as a stream."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.cli.main import main
from perreactor_model.generate import GenerationOptions, generate, read_input

torch = pytest.importorskip("torch")

GOLDEN = Path(__file__).parents[1] / "golden"
PAG, STAGE1 = GOLDEN / "authors_small_pag.pth", GOLDEN / "authors_small_stage1.pth"
INPUT = GOLDEN / "authors_small.npz"
SAMPLES, FRAMES = 2, 7


def react(given=None, **options) -> dict[str, np.ndarray]:
    return generate(PAG, given or read_input(INPUT), GenerationOptions(**options), STAGE1)


def stream(given=None, **options) -> dict[str, np.ndarray]:
    return react(given, mode="stream", **options)


def command(*words) -> int:
    return main(["generate", *map(str, words)])


def test_the_command_writes_what_it_says(tmp_path, capsys):
    output = tmp_path / "reactions.out"
    files = ["--checkpoint", PAG, "--generic-checkpoint", STAGE1, "--input", INPUT]
    assert command(*files, "--output", output, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    with np.load(output, allow_pickle=False) as written:
        assert {name: list(written[name].shape) for name in written.files} == told["arrays"]
        assert np.array_equal(written["personal_3dmm"], react()["personal_3dmm"])
    assert (told["clips"], told["frames"], told["mode"]) == (2, FRAMES, "offline")
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--checkpoint", STAGE1, "--generic-checkpoint", STAGE1], "is a stage-1 file already"),
        (["--checkpoint", PAG, "--generic-checkpoint", PAG], "is a PAG file"),
        (["--checkpoint", "nowhere.pth"], "there is no checkpoint nowhere.pth"),
        (["--checkpoint", "no_such_bundle"], "no bundle 'no_such_bundle'"),
        (["--checkpoint", INPUT], "authors_small.npz"),
        (["--checkpoint", PAG, "--integration", "concat"], "the tensors are those of summation"),
        (["--checkpoint", PAG, "--samples", "3"], "3 samples asked for"),
        (["--checkpoint", PAG, "--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, capsys, words, told):
    assert command(*words, "--input", INPUT, "--output", tmp_path / "out.npz") == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert "\n" not in error
    assert not (tmp_path / "out.npz").exists()


def test_checkpoints_of_two_trainings_are_refused(tmp_path):
    content = torch.load(STAGE1, weights_only=True)
    content["state_dict"]["reaction_decoder.vae_model.linear.bias"] += 1
    other = tmp_path / "other.pth"
    torch.save(content, other)
    with pytest.raises(ValueError, match=r"do not belong together: .*vae_model\.linear\.bias"):
        generate(PAG, read_input(INPUT), generic_checkpoint=other)


@pytest.mark.parametrize("mode", ["offline", "stream"])
def test_without_a_history_there_is_no_personal_reaction(mode):
    results = react(replace(read_input(INPUT), listener_history=None), mode=mode)
    assert set(results) == {"encoded", "mu", "sigma", "generic_3dmm", "generic_attributes"}


def test_a_history_alone_gives_its_pattern():
    given = replace(read_input(INPUT), speaker_video=None, speaker_audio=None, noise=None)
    results = react(given)
    assert set(results) == {"pattern"}
    assert np.array_equal(results["pattern"], react()["pattern"])


def test_only_the_first_480_frames_of_a_history_count():
    given = read_input(INPUT)
    history = np.concatenate([given.listener_history, given.listener_history[:, ::-1]], axis=1)
    longer = react(replace(given, listener_history=history))
    assert np.array_equal(longer["pattern"], react()["pattern"])
    with pytest.raises(ValueError, match="480 or more frames, 25"):
        react(replace(given, listener_history=history[:, :479]))


@pytest.mark.parametrize("missing", ["speaker_video", "speaker_audio"])
def test_a_missing_half_of_the_speaker_is_named(missing):
    with pytest.raises(ValueError, match=f"'{missing}'.*is missing"):
        react(replace(read_input(INPUT), **{missing: None}))


@pytest.mark.parametrize("mode", ["offline", "stream"])
def test_drawn_noise_depends_on_seed_clip_and_sample_only(mode):
    given = replace(read_input(INPUT), noise=None)
    two, again = (react(given, mode=mode, samples=2, seed=1) for _ in range(2))
    three = react(given, mode=mode, samples=3, seed=1)
    other = react(given, mode=mode, samples=2, seed=2)
    assert np.array_equal(two["generic_3dmm"], again["generic_3dmm"])
    by_clip = three["generic_3dmm"].reshape(2, 3, FRAMES, 58)[:, :2]
    assert np.allclose(two["generic_3dmm"].reshape(by_clip.shape), by_clip, atol=1e-5)
    assert not np.allclose(two["generic_3dmm"], other["generic_3dmm"], atol=1e-3)


def test_offline_gives_back_the_noise_that_it_drew():
    given = replace(read_input(INPUT), noise=None)
    drawn = react(given, samples=3, seed=4)
    repeated = react(replace(given, noise=drawn.pop("noise")))
    assert set(drawn) == set(repeated)
    for name in drawn:
        assert np.array_equal(drawn[name], repeated[name]), name


def test_a_streamed_reaction_does_not_know_the_future():
    given = read_input(INPUT)
    changed = given.speaker_video.copy()
    changed[:, 4:] *= -1
    one, other = stream(given), stream(replace(given, speaker_video=changed))
    for name in ("encoded", "mu", "generic_3dmm", "personal_attributes"):
        assert np.array_equal(one[name][:, :4], other[name][:, :4]), name
        assert not np.allclose(one[name][:, 4:], other[name][:, 4:]), name


def test_a_streamed_reaction_forgets_what_left_the_window():
    given = read_input(INPUT)
    changed = given.speaker_audio.copy()
    changed[:, :2] += 3
    window = {"window": 3}
    one, other = stream(given, **window), stream(replace(given, speaker_audio=changed), **window)
    assert not np.allclose(one["generic_3dmm"][:, :4], other["generic_3dmm"][:, :4])
    assert np.array_equal(one["mu"][:, 4:], other["mu"][:, 4:])
    assert np.array_equal(one["generic_3dmm"][:, 4:], other["generic_3dmm"][:, 4:])


def test_a_streamed_frame_is_its_position_in_a_block_decoded_from_its_window():
    given = read_input(INPUT)
    results = stream(given, window=FRAMES)
    for frame in range(FRAMES):
        seen = slice(0, frame + 1)
        part = replace(
            given,
            speaker_video=given.speaker_video[:, seen],
            speaker_audio=given.speaker_audio[:, seen],
        )
        offline = react(part)
        assert np.allclose(results["mu"][:, frame], offline["mu"], atol=1e-5)
    # The last frame has seen the whole clip and stands at the end of a block as long as the clip.
    whole = react(given)
    for name in ("generic_3dmm", "personal_3dmm", "generic_attributes", "personal_attributes"):
        assert np.allclose(results[name][:, -1], whole[name][:, -1], atol=1e-5), name


def test_blocks_of_a_stream_follow_each_other_without_a_jump():
    frames, window = 60, 20
    random = np.random.default_rng(0)
    given = replace(
        read_input(INPUT),
        speaker_video=np.repeat(random.uniform(-1, 1, (2, 1, 3, 8, 8)), frames, 1).astype("f4"),
        speaker_audio=np.zeros((2, frames, 78), np.float32),
    )
    streamed = stream(given, window=window)["generic_3dmm"]
    steps = np.abs(np.diff(streamed, axis=1)).max(axis=(0, 2))
    within, across = steps[: window - 1], steps[window - 1 :]
    unblended = np.abs(streamed[:, window - 1] - streamed[:, 0]).max()
    assert unblended > 1.5 * within.max()
    assert across.max() < 1.1 * within.max()
