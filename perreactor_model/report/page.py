"""The page: one file that needs nothing else, no network, no script."""

from __future__ import annotations

from typing import Any

from perreactor_model.report.attribute_section import attributes_section
from perreactor_model.report.canvas import Drawn
from perreactor_model.report.markup import paragraph, section, text
from perreactor_model.report.score_section import scores_section
from perreactor_model.report.style import STYLE
from perreactor_model.report.summary import facts, lead, warning
from perreactor_model.report.timing_sections import curves_section, lag_section, latency_section
from perreactor_model.report.trouble_section import troubles_section
from perreactor_model.report.video_section import Videos, video_section

_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
"""The page fetches nothing, whatever a recording has put into it."""


def page(numbers: dict[str, Any], figures: dict[str, Drawn], videos: Videos | str) -> str:
    """HTML of the whole report: `numbers` as in `report.json`, figures by name, the video."""
    sections = [
        ("watch", "Watch", video_section(numbers, videos)),
        ("scores", "Scores", scores_section(numbers)),
        ("time", "Over time", curves_section(numbers, figures)),
        ("attributes", "Attributes", attributes_section(numbers)),
        ("lag", "Lag", lag_section(numbers, figures)),
        ("latency", "Latency", latency_section(numbers, figures)),
        ("troubles", "Troubles", troubles_section(numbers)),
        ("again", "Do it again", _provenance(numbers)),
    ]
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name, body in sections if body)
    title = text(numbers["title"])
    body = "\n".join(body for _, _, body in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="color-scheme" content="light dark">
<title>{title}: replay report</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<p class="eyebrow">Replay report</p>
<h1>{title}</h1>
<p class="lead">{lead(numbers)}</p>
{warning(numbers)}
{facts(numbers)}
<nav aria-label="Sections">{links}</nav>
</header>
<main>
{body}
</main>
<footer>Made by perreactor {text(numbers["perreactor_version"])}. The same as numbers:
<a href="report.json">report.json</a>. The figures for use elsewhere:
<a href="figures/">figures</a>.
</footer>
</body>
</html>
"""


_PROVENANCE = {
    "compressed": "camera, compressed",
    "image": "camera",
    "audio": "microphone",
    "audio_info": "the sound's format",
    "attributes": "face analyzer",
    "behaviour": "encoded behaviour",
    "robot_speaking": "who speaks",
}
"""Kinds of input that the replay names its topics by, in words."""


def _provenance(numbers: dict[str, Any]) -> str:
    bundle = numbers["bundle"]
    trained = {True: "yes", False: "no", None: "not known"}[bundle["trained"]]
    rows = [
        ("bundle", bundle["name"]),
        ("model id", bundle["model_id"]),
        ("trained", trained),
        ("sees", (bundle["visual_input"] or "not known").replace("_", " ")),
        ("action units mean", bundle["au_semantics"] or "not known"),
        *(
            (_PROVENANCE.get(name, name.replace("_", " ")), value)
            for name, value in numbers["provenance"].items()
            if name != "perreactor"
        ),
        ("perreactor", numbers["perreactor_version"]),
    ]
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in rows)
    return section(
        "again",
        "Do it again",
        paragraph("The same command on the same machine gives the same reactions, byte for byte.")
        if numbers["live"] is None
        else "",
        f"<pre>{text(numbers['command'])}</pre>",
        f'<dl class="plain">{listed}</dl>',
    )
