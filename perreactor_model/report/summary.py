"""The top of the page: what was replayed, with which bundle, how fast, and what to beware of."""

from __future__ import annotations

from typing import Any

from perreactor_model.report.markup import NONE, count, duration, number, percent, text

UNTRAINED = (
    "Its weights were never taught by people: the faces move and answer the speaker, but what they "
    "express is chance. This report shows that the pipeline works. Its scores say nothing about "
    "the method."
)


def warning(numbers: dict[str, Any]) -> str:
    """A box that cannot be overlooked where the bundle is untrained, or not known to be trained."""
    trained = numbers["bundle"]["trained"]
    if trained:
        return ""
    name = text(numbers["bundle"]["name"])
    if trained is None:
        return _box(
            "It is not known whether the bundle is trained.",
            f"The reactions come from {name}, which was not at hand when this report was made.",
        )
    return _box(f"The bundle {name} is untrained.", UNTRAINED)


def facts(numbers: dict[str, Any]) -> str:
    """What a reader wants to know first, in six or so pairs of a fact and its circumstances."""
    found = [
        _recording(numbers),
        _robots(numbers),
        _speed(numbers),
        _scored(numbers),
        _speaker(numbers),
        _troubles(numbers),
    ]
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd><dd>{more}</dd></div>" for name, value, more in found
    )
    return f'<dl class="facts">{rows}</dl>'


def lead(numbers: dict[str, Any]) -> str:
    """One sentence below the title."""
    robots = numbers["robots"]
    if not any(robot["frames"] for robot in robots):
        return "No robot reacted to this recording."
    frames = sum(robot["frames"] for robot in robots)
    live = " They were compared with a live run." if numbers["live"] else ""
    return f"{count(len(robots), 'robot')} listened: {count(frames, 'frame')} of reactions.{live}"


def _box(head: str, body: str) -> str:
    return f'<div class="warning" role="note"><strong>{head}</strong><p>{body}</p></div>'


def _recording(numbers: dict[str, Any]) -> tuple[str, str, str]:
    speaker = numbers["speaker"]
    more = f"{count(speaker['frames'], 'frame')} of the speaker" if speaker else "no speaker frames"
    return "Recording", duration(numbers["duration_s"]), more


def _robots(numbers: dict[str, Any]) -> tuple[str, str, str]:
    robots = numbers["robots"]
    names = [f"{text(robot['robot'])}: {text(robot['profile'])}" for robot in robots[:4]]
    if len(robots) > 4:
        names.append(f"and {len(robots) - 4} more")
    samples = max((robot["samples"] for robot in robots), default=0)
    if samples > 1:
        names.append(f"{samples} samples of each")
    return "Robots", str(len(robots)), "<br>".join(names)


def _speed(numbers: dict[str, Any]) -> tuple[str, str, str]:
    if numbers["times_real_time"] is None:
        live = "live", "as the conversation went"
        return "Speed", *(live if numbers["live"] else (NONE, "not measured"))
    ratio = numbers["times_real_time"]
    value = f"{ratio:.1f}×" if ratio < 10 else f"{ratio:.0f}×"
    return "Speed", value, f"real time; {duration(numbers['compute_s'])} of computing"


def _scored(numbers: dict[str, Any]) -> tuple[str, str, str]:
    if numbers["scores"]:
        real = numbers["real"]
        more = f"against {text(real['source'])}" if real else "see the scores"
        return "Scored", "yes", more
    return "Scored", "no", text(numbers["not_scored"] or "nothing to score against")


def _speaker(numbers: dict[str, Any]) -> tuple[str, str, str]:
    speaker = numbers["speaker"]
    if not speaker or not speaker["frames"]:
        return "Speaker seen", NONE, "nothing is known of the speaker's presence"
    return (
        "Speaker seen",
        percent(speaker["face_share"]),
        f"of the frames; microphone heard in {percent(speaker['voice_share'])}",
    )


def _troubles(numbers: dict[str, Any]) -> tuple[str, str, str]:
    troubles = numbers["troubles"]
    lost = sum(robot["gaps"]["frames_missing"] for robot in numbers["robots"])
    lost += sum(numbers["live"]["dropped"].values()) if numbers["live"] else 0
    if not troubles and not lost:
        return "Troubles", "none", "the recording was read whole, every frame was answered"
    more = [f"{number(lost)} frames lost"] if lost else []
    more.append('<a href="#troubles">what happened</a>')
    return "Troubles", str(len(troubles)), "; ".join(more)
