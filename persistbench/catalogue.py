"""The pipelines, found by discovery: one file each, one ``build()`` each.

Files are found by name and read as text; they are imported only when they are built, so
a file that is broken breaks its own cells and nothing else.
"""

import ast
import contextlib
import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from persistbench import store
from persistbench.backends import unknown
from persistbench.case import Case
from persistbench.errors import UserError


@dataclass(frozen=True)
class Pipeline:
    """One file of the catalogue."""

    name: str
    path: Path
    package: str

    @property
    def stresses(self) -> str:
        """First paragraph of the file's docstring: what it stresses, in one line."""
        return " ".join((self._docstring() or "").split("\n\n")[0].split())

    @property
    def problem(self) -> str:
        """Why the file cannot be a pipeline, as one sentence; empty if it can."""
        try:
            tree = ast.parse(self.path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, OSError) as error:
            return f"{self.path} cannot be read as Python: {error}."
        if not any(
            isinstance(node, ast.FunctionDef) and node.name == "build" for node in tree.body
        ):
            return (
                f"{self.path} has no function build(): define one that returns a Case "
                "(or start the file's name with an underscore if it is no pipeline)."
            )
        return ""

    @property
    def key(self) -> str:
        """Changes with the file, the helpers beside it, Python, the libraries and the core."""
        helpers = sorted(self.path.parent.glob("_*.py"))
        sources = [file.read_bytes() for file in (self.path, *helpers)]
        return store.digest(self.name, store.environment(), *sources)

    def build(self) -> Case:
        """Import the file and fit its pipeline.

        Raises:
            UserError: it has no ``build()``, or that returns something else than a Case.
            Exception: whatever the file raises.
        """
        if self.problem:
            raise UserError(self.problem)
        case = importlib.import_module(f"{self.package}.{self.name}").build()
        if not isinstance(case, Case):
            raise UserError(
                f"{self.path}: build() returned {type(case).__name__}, "
                "not persistbench.Case(estimator, X, y)."
            )
        return case

    def _docstring(self) -> str | None:
        try:
            return ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8")))
        except (SyntaxError, UnicodeDecodeError, OSError):
            return None


@cache
def discover(package: str = "pipelines") -> dict[str, Pipeline]:
    """Return every pipeline of a package by its name, which is its file's name.

    Raises:
        UserError: there is no such package, or a folder and a file claim one name.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"There is no package {package!r} with pipelines in it.")
    found: dict[str, Pipeline] = {}
    for location in spec.submodule_search_locations:
        for path in sorted(Path(location).iterdir()):
            file = path / "__init__.py" if path.is_dir() else path
            name = path.stem
            if name.startswith(("_", ".")) or file.suffix != ".py" or not file.is_file():
                continue
            if not name.isidentifier():
                raise UserError(
                    f"{path} cannot be imported: use letters, digits and underscores in its name."
                )
            if name in found:
                raise UserError(
                    f"{found[name].path} and {file} both claim the pipeline name {name!r}: "
                    "rename one of them."
                )
            found[name] = Pipeline(name, file, package)
    return found


def get(name: str) -> Pipeline:
    """Return the pipeline with this name.

    Raises:
        UserError: there is none; the sentence names the closest ones.
    """
    known = discover()
    if name not in known:
        raise UserError(unknown("pipeline", name, list(known)))
    return known[name]


def preload() -> None:
    """Import every pipeline file and what it imports, fitting nothing.

    Processes that are forked afterwards need not pay for it. A file that cannot be
    imported says so in its own cells.
    """
    for pipeline in discover().values():
        with contextlib.suppress(Exception):
            importlib.import_module(f"{pipeline.package}.{pipeline.name}")
