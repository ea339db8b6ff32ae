"""A model configuration is right, or refused with what would be right."""

import subprocess
import sys

import pytest

from perreactor_model.networks.config import ConfigError, ModelConfig


def test_a_configuration_survives_its_own_dictionary() -> None:
    config = ModelConfig(feature_size=64, decoder="paper", visual_input="facial_attributes")
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_an_unknown_field_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match="'feature_sizes': did you mean 'feature_size'"):
        ModelConfig.from_dict({"feature_sizes": 128})


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("feature_size", 130, "multiple of heads"),
        ("feature_size", "128", "whole number"),
        ("window", 0, "1 or more"),
        ("decoder", "diffusion", "aligned, paper"),
        ("visual_input", "depth", "face_image, facial_attributes"),
        ("pattern_exponent", 1, "2 or more"),
        ("beta", -1.0, "0 or more"),
        ("beta", float("nan"), "finite"),
        ("audio_rate", 12345, "16000"),
        ("image_size", 8, "32 or more"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(field: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ModelConfig.from_dict({field: value})


def test_reading_configurations_and_bundles_loads_neither_torch_nor_onnxruntime() -> None:
    program = (
        "import sys, perreactor_model.networks.config, perreactor_model.bundle.manifest;"
        "print([name for name in ('torch', 'onnxruntime') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
