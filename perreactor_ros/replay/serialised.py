"""Reactions as bytes that depend on nothing but the reaction."""

from rclpy.serialization import serialize_message

from perreactor_ros.msg import FacialReaction

_ENCAPSULATION = 4
"""Bytes that tell the encoding; alignment counts from behind them."""

_STAMP = 8
_STRINGS = 5
"""frame_id, robot, speaker_id, listener_profile, model_id: in this order, behind the stamp."""

_FRAME = 8
"""Size and alignment of `frame`, which follows; all else is numbers of four bytes."""


def reaction_bytes(message: FacialReaction) -> bytes:
    """A reaction in CDR, its padding set to 0.

    rclpy leaves in the padding what was in memory before, so the same message gives other bytes
    each time.
    """
    data = bytearray(serialize_message(message))
    place = _ENCAPSULATION + _STAMP
    for _ in range(_STRINGS):
        place = _clear_padding(data, place, 4)
        place += 4 + int.from_bytes(data[place : place + 4], "little")
    _clear_padding(data, place, _FRAME)
    return bytes(data)


def _clear_padding(data: bytearray, place: int, alignment: int) -> int:
    """Where the next value begins that is aligned like this; what lies before it becomes 0."""
    end = place + (_ENCAPSULATION - place) % alignment
    data[place:end] = bytes(end - place)
    return end
