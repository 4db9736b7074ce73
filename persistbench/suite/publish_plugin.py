"""asv's door to the report; named in asv.conf.json, so asv imports it at every command.

Our page becomes ``index.html``; asv's own site stands beside it as ``history.html``. Like
`run_plugin.py` this file may be imported where only asv and msgspec are installed. Then the page
is left out, and a sentence says what to install.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import asv.commands.publish
from asv.commands.publish import Publish
from asv.console import log
from asv.publishing import OutputPublisher
from asv.results import Results, iter_results_paths
from asv.util import UserError, load_json

from persistbench import files
from persistbench.records import figures
from persistbench.records.collect import collect

HISTORY = "history.html"
"""asv's own site: the stock page needs three other sites, so it is asv-tachyon's."""

_LINK = """<a href="index.html" style="position: fixed; right: 12px; bottom: 12px; z-index: 99;
 padding: 6px 12px; border-radius: 6px; background: #0b57a4; color: #fff; font: 14px system-ui">
Comparison of the backends</a>
"""


class ComparisonPage(OutputPublisher):
    """Writes the comparison of the backends, and the table that it is made from."""

    name = "persistbench"
    button_label = "Comparison"
    description = "How should I save this pipeline?"
    written = False

    @classmethod
    def publish(cls, conf: Any, repo: Any, benchmarks: Any, graphs: Any, revisions: Any) -> None:
        """Called by `asv publish` when its own pages are written."""
        site = Path(conf.html_dir)
        table = collect(Path(conf.results_dir))
        for sentence in table.warnings:
            log.warning(sentence)
        files.publish(site / "figures.csv", figures.to_csv([*table.figures, *table.derived]))
        try:
            from persistbench.report import advice, page

            files.publish(site / "index.html", page.render(table))
            if document := advice.document():
                files.publish(site / "safety.md", document)  # which the page links to
            _install_history(site)
            cls.written = True
        except ModuleNotFoundError as error:
            log.error(
                f"The page of the comparison is left out, because {error.name} is not installed "
                'where asv is: `pip install "persistbench[report]"`. figures.csv is written.'
            )


def _install_history(site: Path) -> None:
    """Put asv-tachyon's files beside asv's data; its page gets our name and a way back."""
    with resources.as_file(resources.files("asv_tachyon") / "static") as static:
        shutil.copytree(static, site, dirs_exist_ok=True, ignore=lambda *_: {"index.html"})
        text = (static / "index.html").read_text(encoding="utf-8")
    files.publish(site / HISTORY, text.replace("</body>", f"{_LINK}</body>"))


def setup() -> None:
    """Called by asv when it has imported this plugin."""
    Publish.run = classmethod(_publish)
    asv.commands.publish.iter_results = _readable_results
    asv.commands.publish.iter_machine_files = _readable_machine_files


_asv_publish: Callable[..., Any] = Publish.run.__func__
_asv_machine_files = asv.commands.publish.iter_machine_files


def _publish(cls: type[Publish], conf: Any, *args: Any, **kwargs: Any) -> Any:
    """Build the site beside the earlier one, and take its place when it is whole.

    asv removes the earlier site before it knows whether there will be another.
    """
    site = Path(conf.html_dir).resolve()
    try:
        site.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=site.parent, prefix=".publishing-") as folder:
            conf.html_dir = str(Path(folder, "new"))
            try:
                status = _asv_publish(cls, conf, *args, **kwargs)
            finally:
                conf.html_dir = str(site)
            _replace(Path(folder, "new"), site, Path(folder, "old"))
    except OSError as error:
        kept = "; the earlier site is unchanged" if site.exists() else ""
        raise UserError(
            f"The site cannot be written to {site} ({error.strerror or error}){kept}: "
            "make room or give yourself the right to."
        ) from error
    if ComparisonPage.written:
        log.info(f"The comparison of the backends is {os.path.relpath(site / 'index.html')}")
    return status


def _replace(new: Path, site: Path, old: Path) -> None:
    if site.exists():
        site.rename(old)
    try:
        new.rename(site)
    except BaseException:
        if old.exists():
            old.rename(site)
        raise


def _readable_results(results: str) -> Iterator[Results]:
    """Yield asv's results without those that asv would stumble over; ours names them."""
    for folder, name, machine in iter_results_paths(results):
        try:
            result = Results.load(str(Path(folder, name)), machine_name=machine)
            result.get_all_result_keys()
        except Exception:  # noqa: S112 (collect says which and why)
            continue
        yield result


def _readable_machine_files(results: str) -> Iterator[str]:
    """Yield the paths of the machine files that can be read."""
    for path in _asv_machine_files(results):
        try:
            load_json(path)["machine"]
        except Exception as error:
            log.warning(f"{path} is left out: {error}")
        else:
            yield path
