"""Which clips a step sees depends on seed and step alone."""

import numpy as np

from perreactor_model.training.latent_noise import held_noise, stream_noise
from perreactor_model.training.sampling import ClipOrder

ITEMS = np.arange(0, 22, 2)


def test_every_epoch_shows_every_item_once_in_another_order() -> None:
    order = ClipOrder(ITEMS, seed=3)
    epochs = [[order.at(epoch * 11 + place) for place in range(11)] for epoch in range(3)]
    for number, epoch in enumerate(epochs):
        assert {item for _, item in epoch} == set(ITEMS.tolist())
        assert {found for found, _ in epoch} == {number}
    shown = [[item for _, item in epoch] for epoch in epochs]
    assert shown[0] != shown[1] != shown[2]


def test_another_seed_gives_another_order() -> None:
    first = [ClipOrder(ITEMS, 0).at(place) for place in range(11)]
    second = [ClipOrder(ITEMS, 1).at(place) for place in range(11)]
    assert first != second
    assert first == [ClipOrder(ITEMS, 0).at(place) for place in range(11)]


def test_processes_and_parts_share_a_step_whose_clips_stay_the_same() -> None:
    whole = ClipOrder(ITEMS, 5)
    for step in (0, 1, 7):
        together = whole.share(step, 12, 0, 1)
        shares = [
            ClipOrder(ITEMS, 5).share(step, 12, process, 3, part, 2)
            for process in range(3)
            for part in range(2)
        ]
        assert [clip for share in shares for clip in share] == together


def test_a_step_can_be_asked_for_without_those_before_it() -> None:
    order = ClipOrder(ITEMS, 5)
    steps = [order.share(step, 4, 0, 1) for step in range(9)]
    assert ClipOrder(ITEMS, 5).share(8, 4, 0, 1) == steps[8]


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    clips = ClipOrder(np.arange(3), 0).share(0, 8, 0, 1)
    assert [epoch for epoch, _ in clips] == [0, 0, 0, 1, 1, 1, 2, 2]


def test_held_noise_does_not_change_over_a_clip() -> None:
    noise = held_noise(np.random.default_rng(0), 3, 50, 8)
    assert noise.shape == (3, 50, 8)
    assert noise.dtype == np.float32
    assert (noise == noise[:, :1]).all()
    assert len(np.unique(noise)) == 24


def test_wandering_noise_follows_the_law_of_the_stream() -> None:
    noise = stream_noise(np.random.default_rng(0), 400, 100, 8, seconds=1.0)
    assert noise.dtype == np.float32
    rho = np.exp(-0.04)
    for frame in (0, 50, 99):
        assert abs(noise[:, frame].std() - 1) < 0.05
        assert abs(noise[:, frame].mean()) < 0.05
    for gap in (1, 25):
        together = (noise[:, gap:] * noise[:, :-gap]).mean()
        assert abs(together - rho**gap) < 0.05


def test_noise_without_a_time_constant_is_drawn_afresh_in_each_frame() -> None:
    noise = stream_noise(np.random.default_rng(0), 50, 100, 8, seconds=0.0)
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.02
