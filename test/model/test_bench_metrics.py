"""`perreactor bench metrics`: the same results on both sides of the race. Speed is not judged."""

import importlib.util
import json

import numpy as np
import pytest

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.bench import metrics, published_algorithms, synthetic_reactions
from perreactor_model.bench.metrics import Size
from perreactor_model.cli import bench, main
from perreactor_model.contract import EXPRESSION_SLICE, attribute_ranges

SMALL = Size(60, 3, 4, published_samples=2, published_neighbours=3, rounds=1)


def some_reactions(seed: int, count: int = 20) -> np.ndarray:
    generator = np.random.default_rng(seed)
    episodes = synthetic_reactions.a_few_episodes(generator, 750)
    return synthetic_reactions.realistic(generator, episodes, count, 750)


def test_realistic_reactions_are_smooth_mostly_neutral_and_many_valued() -> None:
    reactions = some_reactions(0)
    low, high = attribute_ranges()
    assert reactions.dtype == np.float32
    assert (reactions >= low).all() and (reactions <= high).all()
    assert reactions[..., EXPRESSION_SLICE].sum(-1) == pytest.approx(1, abs=1e-5)
    assert np.median(reactions[..., EXPRESSION_SLICE.start]) > 0.9
    assert np.median(reactions[..., :15]) < 0.1
    assert np.abs(np.diff(reactions, axis=1)).mean() < 0.2 * reactions.std(axis=1).mean()
    assert all(len(np.unique(reaction[:, 15])) > 700 for reaction in reactions)
    assert reactions[..., :15].max() > 0.5  # something happens


def test_the_same_seed_draws_the_same_reactions() -> None:
    assert (some_reactions(1) == some_reactions(1)).all()
    assert (some_reactions(1) != some_reactions(2)).any()


def test_exactly_one_channel_of_each_reaction_stands_still() -> None:
    generator = np.random.default_rng(3)
    drawn = synthetic_reactions.noise(generator, 6, 50)
    held = synthetic_reactions.hold_one_channel(generator, drawn)
    assert ((held == held[:, :1]).all(axis=1).sum(axis=1) == 1).all()
    assert not (drawn == drawn[:, :1]).all(axis=1).any()


def test_the_published_lag_finds_a_shift_and_gives_way_to_a_channel_that_stands_still() -> None:
    """The field's signs and quirk: a reaction 7 frames late gives -7; a dead channel gives 49."""
    speaker = synthetic_reactions.noise(np.random.default_rng(4), 1, 160)[0]
    late = np.roll(speaker, 7, axis=0)
    assert published_algorithms.lag(late, speaker) == -7
    late[:, 3] = 0.5
    assert published_algorithms.lag(late, speaker) == 49


def test_the_published_concordance_of_a_reaction_with_itself_misses_channels_that_stand_still() -> (
    None
):
    reaction = synthetic_reactions.noise(np.random.default_rng(5), 1, 80)
    whole = published_algorithms.concordances(reaction, list(reaction))
    assert whole[0, 0] == pytest.approx(1, abs=1e-5)
    reaction[..., 0] = 0.25
    part = published_algorithms.concordances(reaction, list(reaction))
    assert part[0, 0] == pytest.approx(24 / 25, abs=1e-5)


@pytest.mark.slow
def test_both_sides_of_the_race_agree_on_every_input() -> None:
    pytest.importorskip("tslearn", reason="FRDist is raced against tslearn")
    result = metrics.measure_here(SMALL, cores=2)
    rows = {
        f"{metric}, {name}": row
        for metric in ("FRDist_kernel_alone", "FRDist", "FRCorr", "FRSyn")
        for name, row in result[metric].items()
    }
    assert len(rows) == 10
    for name, row in rows.items():
        assert row["ratio"] > 0, name
        assert row["largest_difference"] < (1e-12 if "FRSyn" in name else 1e-6), name
    assert result["REACT2024_test_set"]["clips"] == 1612


def test_without_tslearn_the_rest_is_measured_and_the_gap_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "_has_tslearn", lambda: False)
    result = metrics.measure_here(SMALL, cores=1)
    row = result["FRDist"]["realistic"]
    assert "pip install tslearn" in row["published"] and row["ours_ms_per_pair"] > 0
    assert result["REACT2024_test_set"]["published_minutes"] is None
    json.dumps(result, allow_nan=False)


@pytest.mark.slow
def test_the_command_measures_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = metrics.measure
    monkeypatch.setattr(metrics, "measure", lambda: measure(SMALL))
    assert main.main(["bench", "metrics", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["metrics"]
    assert result["one_clip"]["frames"] == 60 and result["one_clip"]["cores"] == 1
    assert "metrics" in bench.BENCHES
