"""`report.html`: one page that needs nothing else and hides nothing."""

import itertools
import re

import numpy as np
import pytest

from perreactor_model.report.contents import (
    BundleFacts,
    Judged,
    LiveDifference,
    LiveTrack,
    RealTrack,
    SpeakerTrack,
)
from perreactor_model.report.folder import write_report
from perreactor_model.report.palette import DARK, LIGHT

SEEING = {
    "all colours": np.eye(3),
    "no red": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
    ),
    "no green": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9690]]
    ),
    "no blue": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9309, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}
"""Machado, Oliveira and Fernandes 2009: what linear light looks like without one kind of cone."""


@pytest.fixture(scope="module")
def full(contents, reaction):
    """Contents in which everything occurs, with names that want to be markup."""
    tracks = [reaction(robot, 300, sample) for robot in ("robot_a", "robot_b") for sample in (0, 1)]
    stamps, attributes = tracks[0].stamp_ns, tracks[0].attributes
    table = {"FRCorr": 0.5, "FRDvs": None, "PMAFRG": {"FRCorr": 0.25}, "brand_new": 3.0}
    table["undefined"] = {"FRDvs": "one clip <only>"}
    scores = {"reference": table, "corrected": table, "anchors": {"ground_truth": {}}}
    scores["anchors"] = {"ground_truth": {"corrected": {"FRCorr": 1.0}}}
    return contents(
        title="<script>alert(1)</script>",
        reactions=tracks,
        end_ns=int(stamps[-1]),
        bundle=BundleFacts("wild", "wild-1", trained=False),
        speaker=SpeakerTrack(stamps, np.arange(300) > 50, np.arange(300) < 250, attributes),
        real=RealTrack('/listener/"real"', stamps, attributes),
        scores={"robot_a": scores, "robot_b": scores},
        judged=Judged(3, 12.0, ["AU1"], ["the speaker is <not> known"]),
        counters={"late_images": 4, "steps": 0, "unheard_of": 2},
        troubles=["The file <b>ends</b> early."],
        live=LiveTrack(
            {"robot_a": np.linspace(0.01, 0.1, 300), "robot_b": np.full(300, 0.02)},
            {"late_images": 4},
            {"robot_a": LiveDifference(300, 0.99, 0.002, 1e-5, 1, 2)},
        ),
        provenance={"seed": 3},
    )


@pytest.fixture(scope="module")
def full_folder(full, tmp_path_factory):
    """The report of `full`."""
    folder = tmp_path_factory.mktemp("full")
    write_report(full, folder)
    return folder


@pytest.fixture(scope="module")
def full_page(full_folder, read_page):
    """Its page."""
    return read_page(full_folder)


def test_the_page_needs_nothing_else(full_page):
    page = full_page
    addresses = [
        attributes[name]
        for _, attributes in page.elements
        for name in ("src", "href", "xlink:href", "poster", "srcset", "action")
        if name in attributes
    ]
    local = ("data:", "#", "report.json", "figures/", "strip")
    assert [address for address in addresses if not address.startswith(local)] == []
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert not re.search(r"@import|url\((?!#)", page.html)
    assert not re.search(r'\son\w+="', page.html)


def test_what_a_recording_says_is_shown_and_never_obeyed(full_page):
    page = full_page
    assert "<script>alert(1)</script>" in page.text
    assert "The file <b>ends</b> early." in page.text
    assert "one clip <only>" in page.text
    assert not page.all("b")


def test_every_section_can_be_reached_and_every_id_is_unique(full_page):
    page = full_page
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    anchors = [link["href"][1:] for link in page.all("a") if link["href"].startswith("#")]
    assert len(anchors) >= 8
    assert set(anchors) <= set(ids)
    references = re.findall(r'(?:url\(#|xlink:href="#)([^")]+)', page.html)
    assert set(references) <= set(ids)


def test_those_who_do_not_see_are_told_what_figures_show(full_page):
    page = full_page
    assert page.elements[0] == ("html", {"lang": "en"})
    figures = page.all("svg")
    assert len(figures) == 6  # curves, lags, latency; for a desk and for a phone
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 20 for svg in figures)
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    assert len(page.all("th")) == sum("scope" in cell for cell in page.all("th"))


def test_an_untrained_bundle_cannot_be_overlooked(full_page, contents, tmp_path, read_page):
    text = full_page.text
    assert "The bundle wild is untrained." in text and "do not quote" in text
    write_report(contents(), tmp_path)
    assert "untrained" not in read_page(tmp_path).text.lower()


def test_scores_stand_with_their_direction_their_anchors_and_their_reasons(full_page):
    text = full_page.text
    assert "FRCorr ↑" in text and "FRCorr, personal ↑" in text
    assert "real reaction" in text and "brand new" in text
    assert "Reference: " in text and "Corrected: " in text
    assert "FRDvs: one clip" in text
    assert "Judged: 3 clips, 12 s together, 1 attribute. The speaker is <not> known." in text


def test_without_scores_the_reason_stands_in_their_place(contents, reaction, tmp_path, read_page):
    reason = "the bag holds no real reactions"
    write_report(contents(reactions=[reaction()], not_scored=reason), tmp_path)
    assert f"not scored: {reason}." in read_page(tmp_path).text


def test_offline_latency_is_explained_instead_of_shown(contents, reaction, tmp_path, read_page):
    write_report(contents(reactions=[reaction()]), tmp_path)
    assert "Latency has no meaning here" in read_page(tmp_path).text
    assert not (tmp_path / "figures" / "latency.svg").exists()


def test_troubles_and_counters_are_told_in_words(full_page):
    text = full_page.text
    assert "images too late for their frame" in text
    assert "unheard_of" in text
    assert "steps of the networks" not in text


def test_the_same_contents_give_the_same_bytes(full, full_folder, tmp_path):
    write_report(full, tmp_path)
    files = sorted(file for file in full_folder.rglob("*") if file.is_file())
    assert len(files) >= 5
    for file in files:
        twin = tmp_path / file.relative_to(full_folder)
        assert file.read_bytes() == twin.read_bytes(), file.name


def test_other_files_in_the_folder_are_left_alone(contents, tmp_path):
    (tmp_path / "reactions").mkdir()
    (tmp_path / "reactions" / "metadata.yaml").write_text("kept")
    write_report(contents(), tmp_path)
    write_report(contents(), tmp_path)
    assert (tmp_path / "reactions" / "metadata.yaml").read_text() == "kept"


@pytest.mark.parametrize("frames", [0, 1, 2, 30])
def test_recordings_of_any_length_give_a_page(contents, reaction, tmp_path, read_page, frames):
    track = reaction(frames=frames)
    end_ns = int(track.stamp_ns[-1]) if frames else contents().begin_ns
    write_report(contents(reactions=[track], end_ns=end_ns), tmp_path)
    assert ("svg" in {tag for tag, _ in read_page(tmp_path).elements}) == (frames > 0)


def test_long_recordings_get_a_closer_look_and_a_page_of_bounded_size(
    contents, reaction, tmp_path, read_page
):
    frames = 20_000
    rng = np.random.default_rng(0)
    track = reaction(frames=frames, attributes=rng.random((frames, 25)))
    write_report(contents(reactions=[track], end_ns=int(track.stamp_ns[-1])), tmp_path)
    assert "A closer look" in read_page(tmp_path).text
    assert (tmp_path / "figures" / "closer.svg").exists()
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


def test_many_robots_and_samples_are_drawn_in_part_and_listed(
    contents, reaction, tmp_path, read_page
):
    tracks = [reaction(f"robot_{i}", 60, sample) for i in range(14) for sample in range(5)]
    write_report(contents(reactions=tracks), tmp_path)
    text = read_page(tmp_path).text
    assert "Only the first 6 of 14 robots are drawn." in text
    assert "The band spans all samples" in text
    assert "2 more robots stand in report.json" in text
    assert "robot_13" in text


def test_figures_are_files_of_their_own_with_colours_of_their_own(full_folder):
    for name in ("curves", "lags", "latency"):
        text = (full_folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert text.startswith("<?xml") and "var(--" not in text
        assert "<dc:date>" not in text


def test_every_colour_that_the_page_uses_is_defined(full_page):
    used = set(re.findall(r"var\(--([a-z0-9-]+)", full_page.html))
    assert used <= set(LIGHT) | {"font", "swatch"}
    assert set(LIGHT) == set(DARK)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_curves_stand_out_from_what_they_lie_on(colours):
    for ground in ("paper", "card"):
        for name in ("ink", "muted", "accent"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in (name for name in colours if name.startswith(("robot", "real"))):
            assert contrast(colours[name], colours[ground]) >= 3.0, (name, ground)
    assert contrast(colours["warn"], colours["warn-tint"]) >= 4.5
    assert contrast(colours["ink"], colours["warn-tint"]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("seeing", SEEING)
def test_curves_can_be_told_apart_however_one_sees_colours(colours, seeing):
    curves = [colours[name] for name in colours if name.startswith(("robot", "real"))]
    places = [lightness_and_hue(SEEING[seeing] @ linear_light(colour)) for colour in curves]
    for one, other in itertools.combinations(places, 2):
        assert np.linalg.norm(one - other) > 18


def lightness_and_hue(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB: equal distances look about equally different."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.clip(to_xyz @ light, 1e-6, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it: 1 for equal colours, 21 for black on white."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    return float(linear_light(colour) @ [0.2126, 0.7152, 0.0722])


def linear_light(colour: str) -> np.ndarray:
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
