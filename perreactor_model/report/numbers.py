"""Everything that a report shows, as numbers: the object in `report.json`."""

from __future__ import annotations

from typing import Any

from perreactor_model.report.contents import ReportContents


def report_numbers(contents: ReportContents) -> dict[str, Any]:
    """One JSON object: no NaN (null instead), equal for equal contents."""
    return {"title": contents.title, "command": contents.command, "robots": contents.robots}
