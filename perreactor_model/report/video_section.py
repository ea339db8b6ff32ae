"""The section with the video, which lies inside the page itself."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from perreactor_model.report.curves import clock
from perreactor_model.report.markup import duration, paragraph, section, text
from perreactor_model.report.strip import MOST_FACES, Strip

PRIVACY = (
    "This page holds pictures or the voice of the speaker: pass it on only to whom you would pass "
    "on the recording."
)


@dataclass(frozen=True)
class Videos:
    """What was written: `whole` lies in the folder, `excerpt` goes into the page."""

    whole: Strip
    """The recording, or its beginning where it is long."""
    excerpt: Strip
    trouble: str = ""


def video_section(numbers: dict[str, Any], videos: Videos | str) -> str:
    """The video, or, given a sentence instead, why there is none."""
    if isinstance(videos, str):
        return section("watch", "Watch", paragraph(text(videos)))
    excerpt, whole = videos.excerpt, videos.whole
    data = base64.b64encode(excerpt.path.read_bytes()).decode()
    poster = base64.b64encode(_jpeg(excerpt.poster)).decode()
    sound = "" if excerpt.has_sound else " muted"
    height, width = excerpt.poster.shape[:2]
    video = (
        f'<video controls playsinline preload="metadata"{sound} width="{width}" height="{height}" '
        f'poster="data:image/jpeg;base64,{poster}" aria-label="{text(_label(numbers, excerpt))}">'
        f'<source src="data:video/mp4;base64,{data}" type="video/mp4">'
        'Your browser shows no mp4; <a href="strip.mp4">strip.mp4</a> is the same.</video>'
    )
    return section(
        "watch",
        "Watch",
        f"<figure>{video}<figcaption>{_caption(numbers, excerpt, whole)}</figcaption></figure>",
        paragraph(PRIVACY, "note") if excerpt.has_pictures or excerpt.has_sound else "",
    )


def _label(numbers: dict[str, Any], strip: Strip) -> str:
    who = "The speaker and" if strip.has_pictures else "Drawn faces of"
    robots = ", ".join(robot["robot"] for robot in numbers["robots"][:MOST_FACES])
    return f"{who} {robots}, {strip.seconds:.0f} seconds"


def _caption(numbers: dict[str, Any], excerpt: Strip, whole: Strip) -> str:
    span = numbers["excerpt"]
    sentences = []
    if span["why"] == "the whole recording":
        sentences.append("The whole recording.")
    else:
        begin, end = clock(span["begin_s"]), clock(span["end_s"])
        sentences.append(f"From {begin} to {end}, {text(span['why'])}.")
    if whole.path != excerpt.path:
        part = "All of it" if whole.seconds >= numbers["duration_s"] - 1 else "The first"
        length = f" {duration(whole.seconds)}" if part == "The first" else ""
        sentences.append(f'{part}{length}: <a href="{whole.path.name}">{whole.path.name}</a>.')
    if not excerpt.has_pictures:
        sentences.append("The recording holds no pictures of the speaker.")
    if len(numbers["robots"]) > MOST_FACES:
        sentences.append(f"Only the first {MOST_FACES} robots are shown.")
    sentences.append("Small movements are drawn larger than they are.")
    return " ".join(sentences)


def _jpeg(image: np.ndarray) -> bytes:
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80]
    )
    assert done, "OpenCV always encodes JPEG"
    return data.tobytes()
