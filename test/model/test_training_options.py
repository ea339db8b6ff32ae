"""Options of training: from defaults, a config file and words on the command line."""

from dataclasses import replace
from pathlib import Path

import pytest

from perreactor_model.cli import train
from perreactor_model.installed import config_file
from perreactor_model.training.options import GROUPS, OptionError, keys
from perreactor_model.training.overrides import build, from_dict, read_config, read_words


def test_words_win_over_the_config_file_and_that_over_the_defaults(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("loss:\n  diversity: 3\n  smoothness: 0.5\nloop.seed: 4\n")
    options = build("gag", read_config(config), read_words(["loss.diversity=5"]))
    assert options.loss.diversity == 5
    assert options.loss.smoothness == 0.5
    assert options.loop.seed == 4
    assert options.loss.realism == 1.0


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("loss.diversty=1", "loss.diversity"),
        ("diversity=1", "loss.diversity"),
        ("los.diversity=1", "loss.diversity"),
        ("model.decodr=paper", "model.decoder"),
        ("optimizer.lr=1", "optimiser.lr"),
        ("loop.validat=1", "loop.validate"),
    ],
)
def test_an_unknown_option_is_an_error_that_suggests_the_right_one(word: str, meant: str) -> None:
    with pytest.raises(OptionError, match=f"did you mean .*'{meant}'"):
        read_words([word])


def test_an_option_like_none_names_what_there_is() -> None:
    with pytest.raises(OptionError, match="the groups are model, data, loss"):
        read_words(["flavour=red"])
    with pytest.raises(OptionError, match="there are data.clip_frames"):
        read_words(["data.flavour=red"])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("optimiser.lr=1e-3", 1e-3),
        ("optimiser.betas=[0.5, 0.9]", (0.5, 0.9)),
        ("model.decoder=paper", "paper"),
        ("negatives.other_listeners=false", False),
        ("loop.steps=1000", 1000),
        ("loop.precision=32", "32"),
        ("data.history_view=true", "true"),
    ],
)
def test_a_value_gets_the_type_of_its_option(word: str, expected: object) -> None:
    (value,) = read_words([word]).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("loop.steps=many", "loop.steps must be a whole number"),
        ("loop.steps=1.5", "loop.steps must be a whole number"),
        ("optimiser.lr=true", "optimiser.lr must be a number"),
        ("optimiser.lr=-1", "optimiser.lr must be at least 0"),
        ("negatives.other_listeners=1", "true or false"),
        ("optimiser.betas=0.9", "a list of 2 values"),
        ("model.decoder=old", "decoder must be one of aligned, paper"),
        ("data.modalities=none", "data.modalities must be one of both, audio, visual"),
        ("loop.accumulate=3", "loop.batch 8 cannot be shared"),
        ("data.history_frames=4 model.pattern_exponent=3", "cannot be split into 8 segments"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(word: str, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        build("pag", read_words(word.split()))


def test_a_config_file_that_is_no_mapping_of_groups_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "odd.yaml"
    for content in ("- a\n", "loss: 3\n", "loss: {diversty: 1}\n", "a: [\n"):
        config.write_text(content)
        with pytest.raises(OptionError, match="odd.yaml"):
            read_config(config)


@pytest.mark.parametrize("stage", ["gag", "pag", "face"])
def test_the_shipped_config_is_found_and_followed(stage: str) -> None:
    options = build(stage, read_config(config_file(f"train/{stage}.yaml")))
    assert options.stage == stage
    assert options.optimiser.ema > 0


def test_options_survive_being_written_to_a_checkpoint() -> None:
    options = build("pag", read_words(["optimiser.betas=[0.5,0.9]", "loop.seed=7"]))
    assert from_dict(options.to_dict()) == options


def test_differences_are_named() -> None:
    options = build("gag")
    other = replace(options, loop=replace(options.loop, seed=3))
    assert options.differences(other) == {"loop.seed": (0, 3)}


def test_help_tells_every_option_and_what_it_is_by_default() -> None:
    text = train._options_text()
    for key in keys():
        assert f"{key}=" in text
    for group, kind in GROUPS.items():
        for name in kind.__dataclass_fields__:
            documented = " ".join((kind.__doc__ or "").split())
            assert name in documented, f"{group}.{name} is not explained"
