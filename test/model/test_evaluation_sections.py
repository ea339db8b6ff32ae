"""What else is looked at, with known answers: timing, personality, traits, luck, and D_A^P."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from perreactor_model.cli.main import main
from perreactor_model.contract import ACTION_UNITS
from perreactor_model.evaluation.comparing import ComparisonError, following, ratio_interval
from perreactor_model.evaluation.personality import (
    PersonalityError,
    name_listeners,
    windows,
)
from perreactor_model.evaluation.predicting import past_rows
from perreactor_model.evaluation.ranking import RankingError, rank_patterns
from perreactor_model.evaluation.ranks import area_under_curve, ranks, spearman
from perreactor_model.evaluation.redrawing import RedrawError, redraw, true_lags
from perreactor_model.evaluation.spreads import mean_and_spread
from perreactor_model.evaluation.timing import TimingError, smile_lag, timing
from perreactor_model.evaluation.told_by_history import foretold_manners
from perreactor_model.evaluation.traits import follow_traits
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.preparation import PreparedCorpus
from perreactor_model.preparation.preparing import prepare
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.synthesis.corpus import CorpusPlan, SyntheticCorpus
from perreactor_model.synthesis.motion import wander
from perreactor_model.synthesis.writing import write_corpus

SMILE = ACTION_UNITS.index("AU12")


def test_equal_values_share_a_place() -> None:
    assert ranks([3.0, 1.0, 3.0, 7.0]).tolist() == [2.5, 1.0, 2.5, 4.0]
    assert spearman([1, 2, 3, 4], [10, 100, 1000, 9999]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert spearman([1, 1, 1], [1, 2, 3]) is None


def test_area_under_the_curve_counts_who_is_above_whom() -> None:
    assert area_under_curve([3, 4], [1, 2]) == 1.0
    assert area_under_curve([1, 2], [3, 4]) == 0.0
    assert area_under_curve([1, 2], [1, 2]) == 0.5
    assert area_under_curve([2], [1, 2, 3]) == 0.5


def test_runs_are_averaged_table_by_table() -> None:
    runs = [{"a": 1.0, "b": {"c": 2}, "d": None}, {"a": 3.0, "b": {"c": 4}, "d": 1.0}]
    mean, spread = mean_and_spread(runs)
    assert mean == {"a": 2.0, "b": {"c": 3.0}, "d": None}
    assert spread == {"a": pytest.approx(2**0.5), "b": {"c": pytest.approx(2**0.5)}}
    assert mean_and_spread(runs[:1]) == ({"a": 1.0, "b": {"c": 2.0}, "d": None}, {})


def smiling(late: int, seed: int, count: int = 3) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Reactions (2, T, 25) whose smiles follow those of speakers (T, 25) by `late` frames."""
    generator = np.random.default_rng(seed)
    reactions, speakers = [], []
    for _ in range(count):
        course = wander(generator, 500, 1, 0.5)[:, 0]
        speaker = np.zeros((400, 25))
        speaker[:, SMILE] = course[50:450]
        face = np.zeros((2, 400, 25))
        face[:, :, SMILE] = 0.4 * course[50 - late : 450 - late]
        reactions.append(face)
        speakers.append(speaker)
    return reactions, speakers


@pytest.mark.parametrize("late", [0, 12, 30])
def test_the_lag_of_smiles_is_found(late: int) -> None:
    found = smile_lag(*smiling(late, late))
    assert found.seconds == pytest.approx(late / 25)
    assert found.correlation > 0.95


def test_who_never_smiles_has_no_lag() -> None:
    reactions, speakers = smiling(5, 0)
    assert smile_lag([0 * each for each in reactions], speakers).seconds is None


def test_slower_listeners_are_followed_by_slower_reactions() -> None:
    made, real, spoken, who = [], [], [], []
    for person, late in enumerate((5, 15, 25, 35)):
        reactions, speakers = smiling(late, person)
        made += [np.roll(face, 2, axis=1) for face in reactions]
        real += [face[0] for face in reactions]
        spoken += speakers
        who += [person] * len(speakers)
    fits = np.eye(len(who), dtype=bool)
    judged = Predictions.from_arrays(made, real, spoken, fits, who)
    found = timing(judged, {0: 0.2, 1: 0.6, 2: 1.0, 3: 1.4})
    assert found.error == pytest.approx(0.08, abs=0.021)
    assert found.follows == found.follows_persona == found.real_follows_persona == 1.0
    with pytest.raises(TimingError, match="array speaker is missing"):
        timing(Predictions.from_arrays(made, real, None, fits, who))


def people(count: int = 4, sessions: int = 4, apart: float = 0.2) -> Predictions:
    """Listeners with a face at rest of their own; reactions that are somebody else's are noise."""
    generator = np.random.default_rng(5)
    rest = generator.uniform(0.2, 0.2 + apart, (count, 25))
    real, who, told = [], [], []
    for person in range(count):
        for session in range(sessions):
            moving = 0.1 * wander(generator, 500, 25, 0.4)
            real.append(rest[person] + moving)
            who.append(person)
            told.append(session)
    fits = np.array(told)[:, None] == np.array(told)
    made = [face[None] + 0.02 * generator.standard_normal((2, 500, 25)) for face in real]
    return Predictions.from_arrays(made, real, None, fits, who)


def test_the_listener_of_a_personal_reaction_is_named_and_of_a_generic_one_is_not() -> None:
    own = people()
    average = np.mean([np.asarray(face) for face in own.listener], axis=0)
    same = Predictions.from_arrays(
        [average[None]] * own.clips, own.listener, None, own.appropriate, own.identity
    )
    named = name_listeners({"own": own, "generic": same})
    assert named.real == 1.0 and named.accuracy["own"] == 1.0
    assert named.accuracy["generic"] <= 0.5
    assert (named.chance, named.listeners, named.clips) == (0.25, 4, 16)


def test_what_histories_foretell_is_named_as_reactions_are() -> None:
    own = people()
    zeros = [np.zeros((*face.shape[:2], 58)) for face in own.prediction]
    turning = Predictions.from_arrays(
        own.prediction,
        own.listener,
        None,
        own.appropriate,
        own.identity,
        prediction_3dmm=zeros,
        listener_3dmm=[each[0] for each in zeros],
    )
    whole = [np.concatenate([face, 0.0 * face[:, :3]], axis=1) for face in own.listener]
    told = [windows(face) for face in whole]
    assert name_listeners({"own": turning}, told).history == 1.0
    assert name_listeners({"own": turning}, [told[0]] * own.clips).history == 0.25
    assert name_listeners({"own": turning}).history is None


def test_people_who_cannot_be_told_apart_are_told_so() -> None:
    own = people(count=3)
    one = Predictions.from_arrays(
        own.prediction, own.listener, None, own.appropriate, np.zeros(own.clips)
    )
    with pytest.raises(PersonalityError, match="two are needed"):
        name_listeners({"PAG": one})
    unknown = Predictions.from_arrays(own.prediction, own.listener, None, own.appropriate)
    with pytest.raises(PersonalityError, match="who the listeners are must be known"):
        name_listeners({"PAG": unknown})


def test_better_is_told_from_luck() -> None:
    generator = np.random.default_rng(1)
    other = generator.uniform(0.2, 0.4, 60)
    groups = np.repeat(np.arange(12), 5)
    twice = ratio_interval(2 * other, other, groups)
    assert (twice.ratio, twice.low, twice.high) == pytest.approx((2.0, 2.0, 2.0))
    shuffled = generator.permutation(other)
    lucky = ratio_interval(shuffled, other, groups)
    assert lucky.low < 1 < lucky.high and lucky.groups == 12
    assert lucky == ratio_interval(shuffled, other, groups), "the same draws again"


def test_ratios_that_say_nothing_are_refused() -> None:
    with pytest.raises(ComparisonError, match="must be the same ones"):
        ratio_interval(np.ones(3), np.ones(4), np.arange(3))
    with pytest.raises(ComparisonError, match="0 or less"):
        ratio_interval(np.ones(3), -np.ones(3), np.arange(3))
    with pytest.raises(ComparisonError, match="no clip"):
        ratio_interval(np.full(3, np.nan), np.ones(3), np.arange(3))


def test_clips_follow_as_the_metric_says() -> None:
    judged = people()
    exact = Predictions.from_arrays(
        [np.asarray(face)[None] for face in judged.listener],
        judged.listener,
        None,
        judged.appropriate,
        judged.identity,
    )
    assert np.allclose(following(exact, False), 1.0)
    assert np.allclose(following(exact, True), 1.0)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[SyntheticCorpus, PreparedCorpus]:
    root = tmp_path_factory.mktemp("evaluated_corpus")
    plan = CorpusPlan(listeners=8, sessions=2, seconds=8.0)
    corpus = write_corpus(plan, root / "corpus")
    return corpus, prepare(root / "corpus", root / "cache", PreparationSettings())


def test_a_redraw_is_another_reaction_of_the_same_people(
    simulated: tuple[SyntheticCorpus, PreparedCorpus],
) -> None:
    corpus, prepared = simulated
    split = prepared.splits["test"]
    drawn = redraw(corpus, split, 2)
    assert drawn.clips == len(split.pairs) and drawn.samples == 2
    assert not np.allclose(drawn.prediction[0][0], drawn.prediction[0][1])
    assert np.abs(drawn.prediction[0][0] - drawn.listener[0]).mean() < 0.3
    lags = true_lags(corpus, split)
    assert set(lags) == set(np.unique(split.listener_identity).tolist())
    assert all(0.2 <= lag <= 1.5 for lag in lags.values())


def test_a_history_tells_the_manner_of_its_listener(
    simulated: tuple[SyntheticCorpus, PreparedCorpus],
) -> None:
    split = simulated[1].splits["train"]
    told = foretold_manners(split, split, 150)
    seen = [past_rows(split, pair, 150, "true")[:, :28] for pair in range(len(split.pairs))]
    manner = np.stack([windows(face).mean(axis=0) for face in seen])
    assert [each.shape for each in told] == [(1, 6 * 28)] * len(split.pairs)
    missed = np.square(np.concatenate(told) - manner).sum()
    assert missed < 0.5 * np.square(manner.mean(axis=0) - manner).sum()


def test_another_corpus_is_not_redrawn(simulated: tuple[SyntheticCorpus, PreparedCorpus]) -> None:
    corpus, prepared = simulated
    plan = corpus.plan
    stranger = SyntheticCorpus(CorpusPlan(listeners=8, sessions=2, seconds=8.0, seed=77))
    assert plan != stranger.plan
    with pytest.raises(RedrawError, match="is not what the synthetic corpus simulates"):
        redraw(stranger, prepared.splits["test"], 1)
    with pytest.raises(RedrawError, match="pairs, which the synthetic corpus has not"):
        redraw(SyntheticCorpus(CorpusPlan(listeners=20)), prepared.splits["test"], 1)


SMALL = ModelConfig(
    feature_size=16,
    heads=2,
    feed_forward=16,
    decoder_layers=1,
    window=32,
    visual_input="facial_attributes",
    beta=1.0,
)


def test_traits_of_an_untrained_generator_follow_nobody_but_those_of_histories_do(
    tiny_prepared: PreparedCorpus,
) -> None:
    torch.manual_seed(0)
    generator = ReactionGenerator(SMALL).eval()
    found = follow_traits(
        generator, tiny_prepared.splits["test"], persons=10, lengths=(20.0,), sets=1, speakers=1
    )
    assert (found.persons, found.sets) == (10, 1)
    traits = found.found[20.0]
    assert traits["expressivity"].history > 0.5
    assert traits["baseline_valence"].own > 0.5
    assert traits["backchannel_rate"].oracle > 0.4
    assert abs(traits["expressivity"].generated or 0.0) < 0.9


@pytest.fixture(scope="module")
def pag_run(tiny_prepared: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages, a few steps each: `best.ckpt` of the second."""
    root = tmp_path_factory.mktemp("evaluated_run")
    data = ["--data", str(tiny_prepared.folder)]
    words = ["model.feature_size=16", "model.feed_forward=16", "model.heads=2"]
    words += ["model.decoder_layers=1", "model.window=32", "discriminator.size=12"]
    small = ["data.clip_frames=40", "data.samples=2", "data.history_frames=100", "loop.steps=4"]
    small += ["loop.batch=2", "loop.validate=4", "loop.validate_clips=2", "loop.picture=0"]
    small += ["loop.workers=0"]
    assert main(["train", "gag", *data, "--out", str(root / "gag"), *words, *small]) == 0
    gag = ["--gag", str(root / "gag" / "best.ckpt")]
    judges = ["discriminator.size=12"]
    assert main(["train", "pag", *data, *gag, "--out", str(root / "pag"), *judges, *small]) == 0
    return root / "pag" / "best.ckpt"


def test_the_personal_judge_of_a_run_can_be_asked(
    pag_run: Path, tiny_prepared: PreparedCorpus
) -> None:
    content = torch.load(pag_run, weights_only=True)
    ranked = rank_patterns(content, tiny_prepared.splits["test"])
    assert ranked == rank_patterns(content, tiny_prepared.splits["test"])
    assert 0.0 <= ranked.auc <= 1.0 and ranked.clips == 6
    with pytest.raises(RankingError, match="only a checkpoint of `perreactor train pag`"):
        rank_patterns({"training": {"options": {"stage": "gag"}}}, tiny_prepared.splits["test"])


def test_all_sections_together(
    pag_run: Path, simulated: tuple[SyntheticCorpus, PreparedCorpus], capsys
) -> None:
    _, prepared = simulated
    words = ["evaluate", "--checkpoint", str(pag_run), "--data", str(prepared.folder)]
    words += ["--samples", "2", "--processes", "1", "--history", "4", "--anchors", "--timing"]
    words += ["--personality", "--judge", "--mode", "both"]
    words += ["--synthetic", str(prepared.folder.parents[1] / "corpus")]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = told["rows"]
    assert {"GAG offline", "PAG offline", "GAG stream", "PAG stream", "redraw"} <= set(rows)
    assert rows["redraw"]["corrected"]["FRCorr"] > rows["PAG offline"]["corrected"]["FRCorr"]
    assert set(rows["PAG offline"]["personality"]) >= {"accuracy", "history", "real", "chance"}
    assert rows["PAG offline"]["judge"]["clips"] > 0
    assert {each["over"] for each in told["ratios"]} >= {"redraw"}
    assert main(words) == 0
    text = capsys.readouterr().out
    for heading in ("smiles follow after", "the listener is named", "D_A^P, own pattern"):
        assert heading in text
