"""asv's door to the report; named in asv.conf.json.

Like `asv_plugin.py` it may be imported where only asv is installed.
"""

from pathlib import Path
from typing import Any

from asv.console import log
from asv.publishing import OutputPublisher

from persistbench import store
from persistbench.report import figures


class TidyTable(OutputPublisher):
    """Writes ``figures.csv``, from which everything else is made, beside asv's own pages."""

    name = "persistbench"
    button_label = "Figures"
    description = "One row for every figure and every refusal"

    @classmethod
    def publish(cls, conf: Any, repo: Any, benchmarks: Any, graphs: Any, revisions: Any) -> None:
        """Called by `asv publish` when its own pages are written."""
        found, warnings = figures.collect(Path(conf.results_dir))
        for sentence in warnings:
            log.warning(sentence)
        with store.replacing(Path(conf.html_dir, "figures.csv")) as temporary:
            temporary.write_text(figures.to_csv(found), encoding="utf-8")
