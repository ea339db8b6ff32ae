"""The messages are a contract: fields and their order, and constants in step with contract.py."""

import re
from pathlib import Path

import pytest

from perreactor_model import contract

ROOT = Path(__file__).resolve().parents[2]

FIELDS = {
    "FacialReaction": [
        "std_msgs/Header header",
        "string robot",
        "string speaker_id",
        "string listener_profile",
        "string model_id",
        "uint64 frame",
        "uint32 epoch",
        "float32[15] action_units",
        "float32 valence",
        "float32 arousal",
        "float32[8] expressions",
        "float32[58] face_3dmm",
        "float32 confidence",
        "float32 latency",
    ],
    "SpeakerBehaviour": [
        "std_msgs/Header header",
        "string speaker_id",
        "string model_id",
        "uint64 frame",
        "uint32 epoch",
        "bool face_present",
        "bool voice_present",
        "float32[] token",
        "bool attributes_known",
        "float32[25] attributes",
        "float32[58] face_3dmm",
    ],
    "AudioChunk": [
        "std_msgs/Header header",
        "uint32 sample_rate",
        "uint8 channels",
        "uint8 encoding",
        "uint8[] data",
    ],
    "ReactorState": [
        "std_msgs/Header header",
        "string robot",
        "string listener_profile",
        "string[] known_profiles",
        "string model_id",
        "string provider",
        "uint32 window",
        "uint32 step",
        "uint8 lifecycle",
    ],
    "EnrolmentState": [
        "std_msgs/Header header",
        "uint8 state",
        "string name",
        "string speaker_id",
        "float32 seconds_wanted",
        "float32 seconds_recorded",
        "float32 face_visible",
        "string message",
    ],
}
"""Changing any of this makes every recorded bag unreadable."""

SERVICES = {
    "EnrolListener": (
        ["string name", "float32 seconds", "bool replace", "bool keep_history"],
        ["bool accepted", "string message"],
    ),
}
"""Requests and responses; changing them leaves callers without an answer."""

LINE = re.compile(
    r"^(?P<type>[\w/]+(\[\d*\])?)\s+(?P<name>\w+)(=(?P<value>\d+))?\s*(#\s*(?P<comment>.*))?$"
)


def lines(message: str) -> list[re.Match[str]]:
    """Every line of a message's definition that declares something."""
    return declarations((ROOT / "msg" / f"{message}.msg").read_text(encoding="utf-8"))


def halves(service: str) -> list[list[re.Match[str]]]:
    """The same of a service's request and of its response."""
    text = (ROOT / "srv" / f"{service}.srv").read_text(encoding="utf-8")
    return [declarations(half) for half in text.split("---\n")]


def declarations(text: str) -> list[re.Match[str]]:
    declared = [line for line in text.splitlines() if line and not line.startswith("#")]
    matches = [LINE.match(line) for line in declared]
    assert None not in matches, declared[matches.index(None)]
    return matches


def constants(message: str) -> dict[str, int]:
    return {line["name"]: int(line["value"]) for line in lines(message) if line["value"]}


def indices(names: tuple[str, ...]) -> dict[str, int]:
    return {name.upper(): index for index, name in enumerate(names)}


def test_there_are_exactly_the_messages_of_the_contract() -> None:
    assert {file.stem for file in (ROOT / "msg").iterdir()} == set(FIELDS)


@pytest.mark.parametrize("message", FIELDS)
def test_fields_and_their_order_never_change(message: str) -> None:
    fields = [f"{line['type']} {line['name']}" for line in lines(message) if not line["value"]]
    assert fields == FIELDS[message]


@pytest.mark.parametrize("message", FIELDS)
def test_every_field_has_a_comment(message: str) -> None:
    for line in lines(message):
        if not line["value"]:
            assert line["comment"], f"{line['name']} says neither meaning nor unit"


@pytest.mark.parametrize("message", FIELDS)
def test_every_number_states_its_range(message: str) -> None:
    for line in lines(message):
        if line["type"].startswith("float") or line["type"] in {"uint32", "uint64"}:
            assert re.search(r"\.\.|unbounded", line["comment"]), line["name"]


def test_there_are_exactly_the_services_of_the_contract() -> None:
    assert {file.stem for file in (ROOT / "srv").iterdir()} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_requests_and_responses_never_change(service: str) -> None:
    found = [[f"{line['type']} {line['name']}" for line in half] for half in halves(service)]
    assert found == list(SERVICES[service])
    for line in (each for half in halves(service) for each in half):
        assert line["comment"], f"{line['name']} says neither meaning nor unit"


@pytest.mark.parametrize("service", SERVICES)
def test_the_build_is_of_these_very_services(service: str) -> None:
    built = getattr(pytest.importorskip("perreactor_ros.srv"), service)
    for half, type_ in zip(halves(service), (built.Request, built.Response), strict=True):
        assert list(type_.get_fields_and_field_types()) == [line["name"] for line in half]


def test_reaction_indices_are_those_of_the_contract() -> None:
    found = constants("FacialReaction")
    assert found.items() >= indices(contract.ACTION_UNITS).items()
    assert found.items() >= indices(contract.EXPRESSIONS).items()
    assert found["ACTION_UNIT_COUNT"] == len(contract.ACTION_UNITS)
    assert found["EXPRESSION_COUNT"] == len(contract.EXPRESSIONS)


def test_speaker_indices_are_those_of_the_contract() -> None:
    found = constants("SpeakerBehaviour")
    assert found.items() >= indices(contract.ATTRIBUTES).items()
    assert found["ATTRIBUTE_COUNT"] == contract.ATTRIBUTE_COUNT


@pytest.mark.parametrize("message", ["FacialReaction", "SpeakerBehaviour"])
def test_coefficient_indices_are_those_of_the_contract(message: str) -> None:
    found = constants(message)
    placed = {name.upper(): index for index, name in enumerate(contract.COEFFICIENTS)}
    for name in contract.COEFFICIENTS[contract.ROTATION_SLICE.start :]:
        assert found[name.upper()] == placed[name.upper()]
    expression = slice(found["EXPRESSION_BEGIN"], found["EXPRESSION_END"])
    assert expression == contract.FACE_EXPRESSION_SLICE
    assert found["COEFFICIENT_COUNT"] == contract.COEFFICIENT_COUNT
    assert found["FRAME_RATE"] == contract.FRAME_RATE


def test_sound_encodings_keep_their_numbers() -> None:
    assert constants("AudioChunk") == {"INT16": 1, "FLOAT32": 2}


def test_lifecycle_states_are_those_of_lifecycle_msgs() -> None:
    states = pytest.importorskip("lifecycle_msgs.msg").State
    for name, value in constants("ReactorState").items():
        assert getattr(states, f"PRIMARY_STATE_{name}") == value


@pytest.mark.parametrize("message", FIELDS)
def test_the_build_is_of_these_very_definitions(message: str) -> None:
    built = getattr(pytest.importorskip("perreactor_ros.msg"), message)
    rosidl = {"float32": "float", "bool": "boolean"}
    expected = {}
    for line in lines(message):
        if not line["value"]:
            name, bounds = re.fullmatch(r"([\w/]+)(?:\[(\d*)\])?", line["type"]).groups()
            kind = rosidl.get(name, name)
            if bounds is not None:
                kind = f"{kind}[{bounds}]" if bounds else f"sequence<{kind}>"
            expected[line["name"]] = kind
    assert built.get_fields_and_field_types() == expected
    assert {name: getattr(built, name) for name in constants(message)} == constants(message)
