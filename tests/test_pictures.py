"""The pictures are the page's charts, with a text for whoever cannot see them."""

import re
from pathlib import Path

import pytest

from persistbench.errors import UserError
from persistbench.report import pictures
from tests._results import describe, measured, params

ROOT = Path(__file__).parents[1]


def test_every_chart_with_a_picture_is_written_twice(tmp_path: Path) -> None:
    """An SVG with a description and a PNG, readable by everybody."""
    grid = params(("small",), ("pickle-5", "joblib"))
    names = ("load.Load.time_load", "size.Size.track_size")
    results = describe(tmp_path / "results", names, grid=grid)
    for name in names:
        measured(results, [1.0, 2.0], name=name, grid=grid)
    written = pictures.write(results, tmp_path)
    assert {path.name for path in written} == {
        f"{name}.{kind}" for name in ("grid-load", "tradeoffs") for kind in ("svg", "png")
    }
    svg = (tmp_path / "grid-load.svg").read_text(encoding="utf-8")
    assert "pickle-5" in svg
    assert 'aria-label="Heat map of load' in svg
    assert (tmp_path / "tradeoffs.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "tradeoffs.png").stat().st_mode & 0o044 == 0o044


def test_no_figures_is_said(tmp_path: Path) -> None:
    """Without figures there is nothing to draw, and a sentence says what makes them."""
    with pytest.raises(UserError, match="make bench"):
        pictures.write(tmp_path, tmp_path)


def test_pictures_in_documents_have_an_alternative_text() -> None:
    """No document shows a picture without saying what is on it, nor one that is not there."""
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for alternative, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text):
            assert len(alternative) > 20, target
            assert (document.parent / target).is_file()
