"""Reads the few protobuf messages that mediapipe's graphs give back.

Their generated classes live in the package that is not imported (see `mesh_model.py`), and a list
of 478 messages of one layout is an array to numpy anyway.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

POINT_COUNT = 478
"""Points of the mesh: 468 of the face, then 5 of each iris."""

Detection = tuple[tuple[float, ...], list[tuple[float, ...]]]
"""Left, top, width, height and the key points (x, y), as shares of the picture."""


def read_landmarks(data: bytes) -> np.ndarray:
    """mediapipe.NormalizedLandmarkList as float32 (478, 3): x, y, z as shares of the picture."""
    rows = np.frombuffer(data, np.uint8)
    size = len(data) // POINT_COUNT
    assert len(data) == size * POINT_COUNT, f"{len(data)} bytes are not {POINT_COUNT} landmarks"
    table = rows.reshape(POINT_COUNT, size)
    # Tag and length of the message, then tag and 4 bytes each of x, y, z.
    assert (table[:, [0, 1, 2, 7, 12]] == (0x0A, size - 2, 0x0D, 0x15, 0x1D)).all()
    columns = [table[:, start : start + 4] for start in (3, 8, 13)]
    return np.ascontiguousarray(np.concatenate(columns, axis=1)).view("<f4")


def read_detection(data: bytes) -> Detection:
    """mediapipe.Detection."""
    box: tuple[float, ...] = ()
    points = []
    for number, location in _fields(data):
        if number != 4:
            continue
        for inner, value in _fields(location):
            if inner == 3:
                box = _floats(value)
            elif inner == 5:
                points.append(_floats(value)[:2])
    return box, points


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and raw bytes of each field of a protobuf message (varints are left out)."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            _, at = _varint(data, at)
            continue
        size = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            size, at = _varint(data, at)
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _floats(data: bytes) -> tuple[float, ...]:
    values = {number: struct.unpack("<f", raw)[0] for number, raw in _fields(data) if len(raw) == 4}
    return tuple(values.get(number, 0.0) for number in range(1, 5))
