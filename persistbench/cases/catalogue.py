"""The catalogue: a file or a folder of ``pipelines/`` for each pipeline, with one ``build()``.

A pipeline's file is found by its name and read as text. Only a build imports it, so a broken file
breaks its own cells and no others.
"""

import ast
import functools
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from persistbench import backends, cache, files
from persistbench.case import Case
from persistbench.errors import UserError, unknown


@dataclass(frozen=True)
class Pipeline:
    """One file of the catalogue, or one folder with an ``__init__.py``.

    Attributes:
        name: of the pipeline; the stem of its file, or the name of its folder.
        path: of the file, or of the folder's ``__init__.py``.
        package: the package that holds the file.
    """

    name: str
    path: Path
    package: str

    @property
    def stresses(self) -> str:
        """The first paragraph of the file's docstring, in one line: what the pipeline stresses."""
        return " ".join(self.docstring.split("\n\n")[0].split())

    @property
    def docstring(self) -> str:
        """The file's docstring, read without an import; empty if there is none."""
        try:
            return ast.get_docstring(ast.parse(self.path.read_bytes())) or ""
        except (SyntaxError, ValueError, OSError):
            return ""

    @property
    def trusted(self) -> tuple[str, ...]:
        """Names that a backend with a list may load: ``TRUSTED``, a tuple of texts in the file.

        There are none where ``TRUSTED`` cannot be understood; :meth:`build` says so.
        """
        try:
            return _trusted(self.path.read_bytes())
        except (SyntaxError, ValueError, TypeError, OSError):
            return ()

    @property
    def key(self) -> str:
        """Changes with the sources, Python, the libraries and the core."""
        return files.digest(self.sources, cache.environment())

    @property
    def sources(self) -> str:
        """A digest of the name, of the file and of what it may read or import beside it."""
        data = (_content(file, *_stamp(file)) for file in self._data)
        return files.digest(self.name, *(file.read_bytes() for file in self.files), *data)

    @property
    def files(self) -> list[Path]:
        """The file or all files of the folder, the helpers, and what these import beside them."""
        own = sorted(self.path.parent.rglob("*.py")) if self._is_folder else [self.path]
        result = dict.fromkeys([*own, *sorted(self._beside.glob("_*.py"))])
        waiting = list(result)
        while waiting:
            file = waiting.pop()
            for name in _imported(file, self.package, *_stamp(file)):
                module, folder = self._beside / f"{name}.py", self._beside / name
                for other in (module, *sorted(folder.rglob("*.py"))):
                    if other.is_file() and other not in result:
                        result[other] = None
                        waiting.append(other)
        return list(result)

    @property
    def _is_folder(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def _beside(self) -> Path:
        """The folder of the catalogue."""
        return self.path.parents[1] if self._is_folder else self.path.parent

    @property
    def _data(self) -> list[Path]:
        """Files that are no Python, in the folders of the catalogue: ``build()`` may read them."""
        return [
            file
            for file in sorted(self._beside.rglob("*"))
            if file.suffix not in (".py", ".pyc") and file.is_file()
        ]

    def build(self) -> Case:
        """Import the file and fit its pipeline.

        Raises:
            UserError: the file has no ``build()``, ``build()`` returns no Case, or its
                ``TRUSTED`` is no tuple of texts.
            Exception: the file's own exception.
        """
        module = importlib.import_module(f"{self.package}.{self.name}")
        if not callable(getattr(module, "build", None)):
            raise UserError(
                f"{self.path} has no function build(): define one that returns a Case "
                "(or start the file's name with an underscore if it is no pipeline)."
            )
        try:
            names = _trusted(self.path.read_bytes())
            if (otherwise := getattr(module, "TRUSTED", names)) not in (names, list(names)):
                raise ValueError(_not_understood(f"TRUSTED = {otherwise!r}"))
        except ValueError as error:
            raise UserError(f"{self.path}: {error}") from error
        for other in self.path.parent.rglob("*.py") if self._is_folder else ():
            if other != self.path and _binds_trusted(other.read_bytes()):
                raise UserError(f"{other}: TRUSTED is not read there: write it into {self.path}.")
        case = module.build()
        if not isinstance(case, Case):
            raise UserError(
                f"{self.path}: build() returned {type(case).__name__}, "
                "not persistbench.Case(estimator, X, y)."
            )
        return case


@functools.cache  # asked for every cell, in each of thousands of processes
def _trusted(source: bytes) -> tuple[str, ...]:
    """Return the names of ``TRUSTED`` in the source of a file; none without it.

    Raises:
        ValueError: ``TRUSTED`` is no tuple or list of literal texts, or no file can ask for one
            of the names; as a sentence.
        SyntaxError: the source is no Python.
    """
    names: tuple[str, ...] = ()
    for part in ast.parse(source).body:
        if "TRUSTED" not in _bound(part):
            continue
        value = part.value if isinstance(part, (ast.Assign, ast.AnnAssign)) else None
        alone = isinstance(part, ast.AnnAssign) or len(getattr(part, "targets", ())) == 1
        if not (alone and isinstance(value, (ast.Tuple, ast.List))):
            raise ValueError(_not_understood(ast.unparse(part)))
        texts = [one.value for one in value.elts if isinstance(one, ast.Constant)]
        names = tuple(text for text in texts if isinstance(text, str))
        if len(names) < len(value.elts):
            raise ValueError(_not_understood(ast.unparse(part)))
        for reason in filter(None, map(backends.no_name, names)):
            raise ValueError(f"TRUSTED: {reason}")
    return names


def _binds_trusted(source: bytes) -> bool:
    return any("TRUSTED" in _bound(part) for part in ast.parse(source).body)


@functools.cache
def _imported(file: Path, package: str, size: int, changed: int) -> list[str]:
    """Return the names of what a file imports from its catalogue, as its text says.

    Args:
        file: that imports.
        package: of the catalogue.
        size: of the file; with the time of its last change it tells whether to read it again.
        changed: see size.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return []
    names: set[str] = set()
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            names |= {one.name for one in part.names}
        elif isinstance(part, ast.ImportFrom):
            module = f"{package}.{part.module or ''}" if part.level else part.module or ""
            names |= {module, *(f"{module}.{one.name}".replace("..", ".") for one in part.names)}
    own = {
        name.split(".")[package.count(".") + 1] for name in names if name.startswith(f"{package}.")
    }
    return sorted(own - {""})


def _stamp(file: Path) -> tuple[int, int]:
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns


@functools.cache
def _content(file: Path, size: int, changed: int) -> str:
    """Return what stands for the content of a file; a large one is not read."""
    own = file.read_bytes() if size <= _LARGE else f"{size} {changed}"
    return files.digest(file.name, own)


_LARGE = 64 * 2**20


def _not_understood(source: str) -> str:
    return (
        f"`{' '.join(source.split())}` is not understood, because the file is read and not "
        'imported for it: write the names out, such as TRUSTED = ("module.name",).'
    )


def _bound(part: ast.stmt) -> set[str]:
    """Return the names that a statement binds or deletes at the top level, or its parts do."""
    if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {part.name}
    names = {one.id for one in ast.walk(part) if isinstance(one, ast.Name) and _stored(one)}
    imported = {one.asname or one.name for one in ast.walk(part) if isinstance(one, ast.alias)}
    return names | imported


def _stored(name: ast.Name) -> bool:
    return not isinstance(name.ctx, ast.Load)


@functools.cache
def discover(package: str = "pipelines") -> dict[str, Pipeline]:
    """Return every pipeline of a package by its name, which is its file's name.

    Raises:
        UserError: there is no such package, or a folder and a file claim one name.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"There is no package {package!r} with pipelines in it.")
    result: dict[str, Pipeline] = {}
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
            if name in result:
                raise UserError(
                    f"{result[name].path} and {file} both claim the pipeline name {name!r}: "
                    "rename one of them."
                )
            result[name] = Pipeline(name, file, package)
    return result


def get(name: str) -> Pipeline:
    """Return the pipeline with this name.

    Raises:
        UserError: there is no such pipeline; the sentence names the closest names.
    """
    known = discover()
    if name not in known:
        raise UserError(unknown("pipeline", name, list(known)))
    return known[name]
