"""Facial attributes in files: what is written is read back, and a mistake is named by its place."""

import numpy as np
import pytest

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    FRAME_NS,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
    neutral_attributes,
)
from perreactor_model.face_analysis.attribute_files import (
    AttributeFileError,
    AttributeTrack,
    read_attributes,
    write_attributes,
)
from perreactor_model.face_analysis.attribute_tables import COLUMNS

FRAMES = 40


def plain_rows(frames: int = FRAMES) -> np.ndarray:
    rng = np.random.default_rng(3)
    rows = rng.random((frames, ATTRIBUTE_COUNT)).astype(np.float32)
    rows[:, 15:17] = rows[:, 15:17] * 2 - 1
    rows[:, 17:] /= rows[:, 17:].sum(axis=1, keepdims=True)
    return rows


def measured_track() -> AttributeTrack:
    """Ten frames without a face, two people, the mouth hidden for a while."""
    rng = np.random.default_rng(4)
    rows, pose = plain_rows(), rng.normal(0, 0.3, (FRAMES, 6)).astype(np.float32)
    knowledge = np.where(np.arange(ATTRIBUTE_COUNT) < 15, 1, 2) * np.ones((FRAMES, 1))
    rows[20:25, 7:15], knowledge[20:25, 7:15] = np.nan, 0
    person = np.repeat([1, 0, 2], [15, 10, 15])
    for array in (rows, pose):
        array[person == 0] = np.nan
    knowledge[person == 0] = 0
    stamps = 1_763_000_000_123_456_789 + np.arange(FRAMES) * FRAME_NS
    return AttributeTrack(
        stamps, rows, knowledge, pose[:, :3], pose[:, 3:], person, person > 0, "a/b/alice.mp4"
    )


def assert_same(one: AttributeTrack, other: AttributeTrack) -> None:
    for name in ("stamp_ns", "knowledge", "person", "face_present"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert getattr(one, name).dtype == getattr(other, name).dtype, name
    for name in ("attributes", "rotation", "translation"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


def write_lines(path, headings, rows):
    lines = [",".join(headings), *(",".join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["alice.npz", "alice.csv", "ALICE.CSV"])
def test_what_was_written_is_read_back_to_the_last_bit(tmp_path, name):
    track = measured_track()
    write_attributes(track, tmp_path / name)
    assert_same(read_attributes(tmp_path / name), track)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_tells_the_name_of_the_video_but_not_where_it_lay(tmp_path):
    write_attributes(measured_track(), tmp_path / "track.npz")
    assert read_attributes(tmp_path / "track.npz").source == "alice.mp4"
    windows = AttributeTrack.of_attributes(plain_rows(), source="C:\\people\\alice.mp4")
    assert windows.source == "alice.mp4"


def test_our_table_has_a_heading_for_each_column_and_empty_cells_where_nothing_is_known(tmp_path):
    write_attributes(measured_track(), tmp_path / "track.csv")
    lines = (tmp_path / "track.csv").read_text().splitlines()
    assert tuple(lines[0].split(",")) == COLUMNS
    assert len(lines) == FRAMES + 1
    assert lines[16].split(",")[1:32] == [""] * 31
    assert lines[1].startswith("1763000000.123456789,")


def test_a_table_of_the_react_challenge_is_read_by_position(tmp_path):
    rows = plain_rows()
    headings = [f"column {number}" for number in range(ATTRIBUTE_COUNT)]
    track = read_attributes(write_lines(tmp_path / "react.csv", headings, rows))
    assert np.array_equal(track.attributes, rows)
    assert track.face_present.all()
    assert (track.person == 1).all()
    assert np.isnan(track.rotation).all()
    assert track.source == "react.csv"


def test_headings_that_count_the_columns_are_headings(tmp_path):
    rows = plain_rows()
    counted = write_lines(tmp_path / "counted.csv", map(str, range(ATTRIBUTE_COUNT)), rows)
    without = write_lines(tmp_path / "without.csv", map(str, rows[0]), rows[1:])
    for path in (counted, without):
        assert np.array_equal(read_attributes(path).attributes, rows)


def test_named_columns_may_come_in_any_order(tmp_path):
    rows = plain_rows()
    names = [name.upper() if name.startswith("AU") else name.title() for name in ATTRIBUTES]
    order = np.random.default_rng(1).permutation(ATTRIBUTE_COUNT)
    headings = ["frame", *(names[column] for column in order)]
    cells = [[frame, *row[order]] for frame, row in enumerate(rows)]
    track = read_attributes(write_lines(tmp_path / "mixed.csv", headings, cells))
    assert np.array_equal(track.attributes, rows)


def test_stamps_rounded_to_milliseconds_lie_on_the_grid(tmp_path):
    rows = plain_rows(4)
    headings = ["seconds", *ATTRIBUTES]
    cells = [
        [text, *row] for text, row in zip(["1.0004", "1.041", "1.08", "1.12"], rows, strict=True)
    ]
    track = read_attributes(write_lines(tmp_path / "rounded.csv", headings, cells))
    assert track.stamp_ns.tolist() == [1_000_400_000 + k * FRAME_NS for k in range(4)]


@pytest.mark.parametrize("width", [25, 31, 83])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_plain_arrays_bring_their_head_pose_along(tmp_path, width, kind):
    rows = np.full((FRAMES, width), 0.25, kind)
    rows[:, :ATTRIBUTE_COUNT] = plain_rows()
    rows[5] = np.nan
    if width == 31:
        rows[:, 25:] = np.arange(6) / 10
    if width == 83:
        rows[:, 25:][:, ROTATION_SLICE] = np.arange(3) / 10
        rows[:, 25:][:, TRANSLATION_SLICE] = np.arange(3, 6) / 10
    np.save(tmp_path / "rows.npy", rows)
    track = read_attributes(tmp_path / "rows.npy")
    assert np.array_equal(track.attributes, rows[:, :25].astype(np.float32), equal_nan=True)
    assert track.face_present.sum() == FRAMES - 1
    if width > 25:
        assert np.allclose(track.rotation[0], [0, 0.1, 0.2])
        assert np.allclose(track.translation[0], [0.3, 0.4, 0.5])
    else:
        assert np.isnan(track.rotation).all()


def test_rounding_errors_are_cut_off_and_nothing_else_is_changed():
    rows = np.tile(neutral_attributes(), (3, 1))
    rows[0, 17], rows[1, 0], rows[2, 15] = 1.0002, -1e-6, np.nan
    track = AttributeTrack.of_attributes(rows)
    assert track.attributes[0, 17] == 1.0
    assert track.attributes[1, 0] == 0.0
    assert np.isnan(track.attributes[2, 15])
    assert track.knowledge[2, 15] == 0


@pytest.mark.parametrize(
    ("row", "column", "value", "told"),
    [
        (7, 3, 3.0, "row 8: AU6 is 3: expected 0 to 1 (intensities of 0 to 5"),
        (0, 15, -2.5, "row 1: valence is -2.5: expected -1 to 1"),
        (2, 17, -0.1, "row 3: neutral is -0.1"),
        (4, 24, np.inf, "row 5: contempt is infinite"),
    ],
)
@pytest.mark.parametrize("kind", [".csv", ".npy", ".npz"])
def test_a_value_on_another_scale_is_refused_by_name_and_row(
    tmp_path, row, column, value, told, kind
):
    rows = plain_rows()
    rows[row, column] = value
    path = tmp_path / f"rows{kind}"
    if kind == ".csv":
        write_lines(path, ATTRIBUTES, rows)
    elif kind == ".npy":
        np.save(path, rows)
    else:
        np.savez(path, attributes=rows)
    with pytest.raises(AttributeFileError) as error:
        read_attributes(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty"),
        ("a,b,c\n1,2,3\n", "3 columns: expected columns named AU1, AU2, ... contempt, or just 25"),
        (",".join(["x", *ATTRIBUTES[:24]]) + ",y\n", "no column contempt"),
        (",".join(ATTRIBUTES) + "\n", "there are no frames"),
        (",".join(ATTRIBUTES) + "\n" + "0," * 23 + "0\n", "row 1 has 24 cells: expected 25"),
        (",".join(ATTRIBUTES) + "\n" + "0," * 24 + "x\n", "row 1: contempt is 'x'"),
        ("seconds," + ",".join(ATTRIBUTES) + "\nsoon" + ",0" * 25 + "\n", "seconds is 'soon'"),
        (
            "seconds," + ",".join(ATTRIBUTES) + "\n0" + ",0" * 25 + "\n0.0333" + ",0" * 25,
            "row 2 comes 33.3 ms after the one before: expected 40 ms",
        ),
        ("person," + ",".join(ATTRIBUTES) + "\n1.5" + ",0" * 25, "row 1: person is 1.5"),
        ("knowledge," + ",".join(ATTRIBUTES) + "\nmmm" + ",0" * 25, "knowledge is 'mmm'"),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_what_would_be_right(tmp_path, text, told):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(AttributeFileError) as error:
        read_attributes(path)
    assert told in str(error.value)


def test_arrays_that_cannot_be_read_are_refused(tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros(25))
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array(["a"] * 25))
    np.savez(tmp_path / "others.npz", poses=np.zeros((3, 25)))
    np.savez(tmp_path / "unequal.npz", attributes=np.zeros((3, 25)), person=np.zeros(4))
    (tmp_path / "text.npz").write_text("nothing")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "table.xlsx").write_bytes(b"")
    told = {
        "flat.npy": "shape (25,): expected (T, 25)",
        "objects.npy": "allow_pickle",
        "words.npy": "expected numbers",
        "others.npz": "no array 'attributes' in it, but poses",
        "unequal.npz": "person has shape (4,): expected (3)",
        "text.npz": "not a .npz file",
        "empty.npy": "not a .npy file",
        "table.xlsx": "read from .npz, .csv, .npy, not from '.xlsx'",
    }
    for name, words in told.items():
        with pytest.raises(AttributeFileError) as error:
            read_attributes(tmp_path / name)
        assert words in str(error.value), name
    with pytest.raises(FileNotFoundError, match="no file of attributes"):
        read_attributes(tmp_path / "absent.csv")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "track.csv"
    write_attributes(measured_track(), path)
    before = path.read_bytes()

    def fails(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("perreactor_model.face_analysis.attribute_tables.write_table", fails)
    with pytest.raises(OSError, match="disk is full"):
        write_attributes(measured_track(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written_is_told_before(tmp_path):
    track = measured_track()
    with pytest.raises(AttributeFileError, match=r"written as .npz or .csv, not as '.txt'"):
        write_attributes(track, tmp_path / "track.txt")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_attributes(track, tmp_path / "nowhere" / "track.npz")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("knowledge", 7, "knowledge is 7: expected a whole number from 0 to 2"),
        ("knowledge", np.nan, "knowledge is nan: expected a whole number"),
        ("person", -3, "person is -3: expected a whole number from 0"),
        ("person", 2**40, "person is 1099511627776: expected a whole number"),
        ("person", 1e30, "person is 1e.30: expected a whole number"),
        ("person", 0.5, "person is 0.5: expected a whole number"),
        ("stamp_ns", np.nan, "stamp_ns is nan: expected a whole number"),
    ],
)
def test_numbers_that_cannot_be_kept_are_refused_not_turned_into_others(
    tmp_path, name, value, told
):
    rows = plain_rows()
    shape = (FRAMES, ATTRIBUTE_COUNT) if name == "knowledge" else (FRAMES,)
    path = tmp_path / "others.npz"
    np.savez(path, **{"attributes": rows, name: np.full(shape, value)})
    with pytest.raises(AttributeFileError, match=f"row 1: {told}"):
        read_attributes(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("heading", "cell"),
    [("seconds", "99999999999999"), ("seconds", "9" * 5000), ("person", "1e30"), ("person", "inf")],
)
def test_a_cell_too_large_to_keep_is_named(tmp_path, heading, cell):
    rows = [[*row, cell] for row in plain_rows()]
    path = write_lines(tmp_path / "large.csv", [*ATTRIBUTES, heading], rows)
    with pytest.raises(AttributeFileError, match=f"row 1: {heading} is"):
        read_attributes(path)


@pytest.mark.filterwarnings("error")
def test_a_number_beyond_float32_is_refused_without_a_warning(tmp_path):
    np.save(tmp_path / "huge.npy", np.full((FRAMES, ATTRIBUTE_COUNT), 1e300))
    with pytest.raises(AttributeFileError, match="row 1: AU1"):
        read_attributes(tmp_path / "huge.npy")


def test_an_array_file_that_claims_more_numbers_than_fit_in_memory_is_refused(tmp_path):
    path = tmp_path / "claims.npy"
    with path.open("wb") as stream:
        head = {"descr": "<f4", "fortran_order": False, "shape": (10**13, ATTRIBUTE_COUNT)}
        np.lib.format.write_array_header_1_0(stream, head)
    with pytest.raises(AttributeFileError, match=r"not a \.npy file of numbers"):
        read_attributes(path)


def test_an_array_named_as_an_archive_is_refused(tmp_path):
    with (tmp_path / "array.npz").open("wb") as stream:
        np.save(stream, plain_rows())
    with pytest.raises(AttributeFileError, match=r"not a \.npz file of numbers"):
        read_attributes(tmp_path / "array.npz")


@pytest.mark.parametrize("place", range(64, 76))
def test_an_archive_with_broken_compression_is_refused(tmp_path, place):
    path = tmp_path / "broken.npz"
    np.savez_compressed(path, attributes=plain_rows())
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(AttributeFileError, match=r"not a \.npz file of numbers"):
        read_attributes(path)


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_table_with_another_separator_is_told_so(tmp_path, sign, name):
    rows = [[str(value).replace(".", ",") for value in row] for row in plain_rows(2)]
    lines = [sign.join(row) for row in (ATTRIBUTES, *rows)]
    (tmp_path / "german.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(AttributeFileError, match=f"separated by {name}: expected commas"):
        read_attributes(tmp_path / "german.csv")
