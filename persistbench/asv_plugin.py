"""asv's door to persistbench; named in asv.conf.json, so asv imports it at every command.

asv 0.6.6 writes its result file once, when everything has been measured, and in place:
Ctrl-C in the last minute loses the whole run, and a full disk also loses the run before.
Only asv and the standard library are imported here: asv may be installed anywhere.
Here every finished benchmark is saved at once, under a temporary name that is then moved
into place. asv offers no hook for that, so its Results class is replaced in `asv run`.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import asv.commands.run
from asv.results import Results

from persistbench.outcomes import DESTINATION


class SafeResults(Results):
    """Results that are on disk as soon as they exist, and never half written."""

    _folder: str | None = None

    def load_data(self, result_dir: str) -> None:
        """Called by `asv run` before it measures, and only if it is going to save."""
        super().load_data(result_dir)
        self._folder = result_dir
        # Benchmark processes inherit it and put their outcomes beside these results.
        file = Path(result_dir, self._filename).resolve()
        os.environ[DESTINATION] = str(file.with_suffix(".outcomes.jsonl"))

    def add_result(self, *args: Any, **kwargs: Any) -> None:
        """Called after every round of a benchmark."""
        super().add_result(*args, **kwargs)
        if self._folder is not None:
            self.save(self._folder)

    def save(self, result_dir: str) -> None:
        """Replace the file of this run."""
        with tempfile.TemporaryDirectory(dir=result_dir, prefix=".saving-") as temporary:
            super().save(temporary)
            Path(temporary, self._filename).replace(Path(result_dir, self._filename))


def setup() -> None:
    """Called by asv when it has imported this plugin."""
    asv.commands.run.Results = SafeResults
