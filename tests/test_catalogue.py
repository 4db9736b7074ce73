"""The pipelines are what their names promise, and a broken file says so."""

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cases.building import BuildError
from persistbench.cases.fitted import fit
from persistbench.errors import UserError
from persistbench.integrity.answers import compare
from tests.test_backends import skip_without_libraries

PROMISED = {
    "small",
    "large_array",
    "large_array_compressible",
    "custom_function",
    "lambda_function",
    "custom_state",
    "open_handle",
    "mixed_columns",
    "text",
    "forest",
    "boosting",
    "sparse",
}
FOUND = catalogue.discover()
MB = 1e6

every_pipeline = pytest.mark.parametrize("pipeline", FOUND.values(), ids=FOUND)


def test_promised_pipelines_exist() -> None:
    """Every name that results and documentation use is found by discovery."""
    assert set(FOUND) >= PROMISED


@every_pipeline
def test_docstring_says_what_it_stresses_and_why(pipeline: catalogue.Pipeline) -> None:
    """The first line is short enough for a table, and a paragraph on its users follows."""
    assert 10 < len(pipeline.stresses) < 100
    assert "\n\n" in pipeline.docstring


@every_pipeline
def test_every_class_is_well_represented(pipeline: catalogue.Pipeline) -> None:
    """Each true class holds a fifth of at least 100 held-out rows, and each is predicted."""
    original = fit(pipeline).load_reference()
    if not original.scores:
        return  # it predicts no classes
    labels, counts = np.unique(original.y, return_counts=True)
    assert len(labels) >= 2
    assert counts.sum() >= 100
    assert counts.min() >= counts.sum() / 5
    assert set(np.unique(original.outputs["predict"])) == set(labels)


@every_pipeline
def test_fitting_again_gives_the_same(pipeline: catalogue.Pipeline) -> None:
    """Seeds are local and complete: a second fit predicts bit for bit what the first did."""
    assert compare(fit(pipeline).load_reference(), pipeline.build().estimator).same


@every_pipeline
def test_kept_estimator_is_the_fitted_one(pipeline: catalogue.Pipeline) -> None:
    """What comes from the file predicts what the estimator did right after its fit."""
    kept = fit(pipeline)
    assert compare(kept.load_reference(), kept.load_estimator()).same


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("small", 0, 0.01),
        ("large_array", 32, 33),
        ("large_array_compressible", 32, 33),
        ("forest", 18, 24),
        ("sparse", 9, 12),
    ],
)
def test_payload_has_the_promised_size(name: str, low: float, high: float) -> None:
    """The payload in MB lies in the range that name and docstring promise."""
    size = fit(FOUND[name]).payload_bytes
    assert size is not None
    assert low <= size / MB <= high


def test_text_has_its_terms() -> None:
    """The vocabulary holds at least 100,000 terms."""
    assert len(fit(FOUND["text"]).load_estimator()[0].vocabulary_) >= 100_000


def test_lambda_is_refused_by_pickle_and_kept_anyway() -> None:
    """Plain pickle refuses `lambda_function`; the refusal is on record."""
    kept = fit(FOUND["lambda_function"])
    assert kept.payload_bytes is None
    assert "lambda" in kept.refusal


@pytest.mark.parametrize("backend", backends.discover().values(), ids=backends.discover())
def test_nobody_saves_an_open_handle(backend: Any, tmp_path: Path) -> None:
    """Every backend refuses `open_handle` when it dumps; but dill, which opens it again by name."""
    case = FOUND["open_handle"].build()
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    if backend.id == "dill":
        backend.dump(backend.payload(case.estimator, case.X), path)
        assert backend.load(path)[0].handle_.name == case.estimator[0].handle_.name
        return
    with pytest.raises(Exception, match=r"BufferedReader|OpenLookup"):
        backend.dump(backend.payload(case.estimator, case.X), path)


def test_custom_state_drops_and_restores() -> None:
    """The handle and the cache do not travel, and are there again after loading."""
    estimator = FOUND["custom_state"].build().estimator
    lookup = estimator[0]
    assert lookup.cache_
    data = pickle.dumps(lookup)
    assert b"cache_" not in data
    assert b"handle_" not in data
    loaded = pickle.loads(data)
    assert not loaded.handle_.closed
    assert loaded.cache_ == {}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes files of a catalogue of its own and discovers them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / f"cases_{tmp_path.name}".replace("-", "_")
    folder.mkdir()
    (folder / "__init__.py").touch()

    def write(**sources: str) -> dict[str, catalogue.Pipeline]:
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source)
        return catalogue.discover(folder.name)

    yield write
    sys.modules.pop(folder.name, None)
    catalogue.discover.cache_clear()


GOOD = """
from sklearn.dummy import DummyClassifier
from persistbench import Case
def build():
    return Case(DummyClassifier().fit([[0], [1]], [0, 1]), [[0], [1]], [0, 1])
"""


def test_new_file_is_a_new_pipeline(package: Any) -> None:
    """A file dropped into the folder is found and can be fitted; helpers are not found."""
    result = package(extra=GOOD, _helper="")
    assert list(result) == ["extra"]
    assert fit(result["extra"]).payload_bytes


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("", r"broken.py has no function build\(\)"),
        ("build = 3", r"broken.py has no function build\(\)"),
        ("def build(:", "SyntaxError"),
        ("import sklearn.no_such_module", "no_such_module"),
        ("def build(): return 1", r"build\(\) returned int, not persistbench.Case"),
        ("def build(): raise RuntimeError('no data')", "RuntimeError: no data"),
    ],
)
def test_broken_build_has_a_reason(package: Any, source: str, sentence: str) -> None:
    """A file whose pipeline cannot be fitted says why in one line."""
    with pytest.raises(BuildError, match=sentence):
        fit(package(broken=source)["broken"])


def test_build_may_come_from_a_helper(package: Any) -> None:
    """A file that imports its build() from a helper is a pipeline like any other."""
    result = package(_helper=GOOD, extra="from ._helper import build")
    assert fit(result["extra"]).payload_bytes


def test_folder_is_rebuilt_when_any_of_its_files_changes(package: Any) -> None:
    """The key of a pipeline that is a folder changes with its files and the helpers beside it."""
    place = package()  # an empty catalogue
    assert place == {}
    root = Path(sys.path[0]) / next(Path(sys.path[0]).glob("cases_*")).name
    folder = root / "wide"
    folder.mkdir()
    (folder / "__init__.py").write_text(GOOD)
    catalogue.discover.cache_clear()
    pipeline = catalogue.discover(root.name)["wide"]
    keys = {pipeline.key}
    for file in (folder / "part.py", root / "_shared.py"):
        file.touch()
        keys.add(pipeline.key)
    assert len(keys) == 3


def test_missing_library_is_told_from_an_error(package: Any) -> None:
    """A pipeline that imports a library which is not there is not broken."""
    with pytest.raises(BuildError, match="no_such_library"):
        fit(package(lacking="import no_such_library\ndef build(): pass")["lacking"])


def test_two_claims_on_one_name_are_refused(package: Any) -> None:
    """A file and a folder of one name are both named in the sentence."""
    result = package(twin=GOOD)
    folder = result["twin"].path.parent / "twin"
    folder.mkdir()
    (folder / "__init__.py").write_text(GOOD)
    catalogue.discover.cache_clear()
    with pytest.raises(UserError, match="both claim the pipeline name 'twin'"):
        package()


def test_name_that_cannot_be_imported_is_refused(package: Any) -> None:
    """A file name that Python cannot import is named."""
    with pytest.raises(UserError, match=r"not-good\.py cannot be imported"):
        package(**{"not-good": GOOD})


def test_change_of_a_file_changes_its_key(package: Any) -> None:
    """Another seed or another helper gives another key, so the pipeline is fitted again."""
    first = package(extra=GOOD)["extra"]
    keys = {first.key}
    first.path.write_text(GOOD + "# another seed\n")
    keys.add(first.key)
    (first.path.parent / "_helper.py").touch()
    keys.add(first.key)
    assert len(keys) == 3


@pytest.mark.parametrize(
    "other", ["data.json", "folder/rows.csv", "other.py", "deep.py", "_helper.py"]
)
def test_what_a_build_may_read_or_import_decides_its_key(package: Any, other: str) -> None:
    """Data beside the file, and modules that it imports by way of others, change the key."""
    source = f"import json\nfrom .other import SIZE\n{GOOD}"
    first = package(own=source, other="from cases import x\nfrom . import deep\nSIZE = 1")["own"]
    path = first.path.parent / other
    path.parent.mkdir(exist_ok=True)
    keys = {first.key}
    for content in ("1", "2"):
        path.write_text(f"from . import deep\nSIZE = {content}\n")
        keys.add(first.key)
    assert len(keys) == 3
    (first.path.parent / "stranger.py").touch()
    assert first.key in keys


def test_failure_is_not_kept(package: Any) -> None:
    """A build that failed for want of a file is right as soon as the file is there."""
    source = f"from pathlib import Path\nPath(__file__).with_name('rows.csv').read_text()\n{GOOD}"
    own = package(own=source)["own"]
    with pytest.raises(BuildError, match=r"FileNotFoundError.*rows\.csv"):
        fit(own)
    (own.path.parent / "rows.csv").write_text("1")
    assert fit(own).payload_bytes


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        b"# -*- coding: latin-1 -*-\nNAME = '\xf6'" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
    ],
)
def test_file_is_read_as_python_reads_it(package: Any, encoded: bytes) -> None:
    """A byte order mark, a coding line and foreign ends of lines are no faults."""
    own = package(own="")["own"]
    own.path.write_bytes(encoded)
    assert fit(own).payload_bytes


def test_trusted_in_another_file_of_a_folder_is_said(package: Any) -> None:
    """It is read from the folder's __init__.py only, and nothing is ignored without a word."""
    package()
    root = Path(sys.path[0]) / next(Path(sys.path[0]).glob("cases_*")).name
    (root / "wide").mkdir()
    (root / "wide" / "__init__.py").write_text("from .core import build")
    (root / "wide" / "core.py").write_text(f'TRUSTED = ("a.b",)\n{GOOD}')
    catalogue.discover.cache_clear()
    with pytest.raises(BuildError, match=r"core\.py: TRUSTED is not read there.*__init__\.py"):
        fit(catalogue.discover(root.name)["wide"])


def pipeline_of(folder: Path, line: str) -> catalogue.Pipeline:
    """Return the pipeline of a file that has this line beside its build()."""
    path = folder / "own.py"
    path.write_text(f"{line}\n\ndef build():\n    return None\n")
    return catalogue.Pipeline("own", path, "pipelines")


@pytest.mark.parametrize(
    "line",
    [
        'TRUSTED = ("a.b", "c.d")',
        'TRUSTED: tuple[str, ...] = ("a.b", "c.d")',
        'TRUSTED: Final = ["a.b", "c.d"]',
        'TRUSTED = ["a.b", "c.d"]',
    ],
)
def test_trusted_names_are_read(tmp_path: Path, line: str) -> None:
    """A tuple or a list of texts, with a type annotation or without one."""
    assert pipeline_of(tmp_path, line).trusted == ("a.b", "c.d")


@pytest.mark.parametrize(
    "line",
    [
        'TRUSTED = "a.b"',
        "TRUSTED = (name for name in ())",
        'TRUSTED = ("a.b", NAME)',
        "TRUSTED = (1,)",
        'TRUSTED = OTHER = ("a.b",)',
        'TRUSTED = ()\nTRUSTED += ("a.b",)',
        'if True:\n    TRUSTED = ("a.b",)',
        "from pipelines.small import build as TRUSTED",
    ],
)
def test_trusted_that_is_not_understood_is_said(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is admitted, and the pipeline cannot be built before it is written out."""
    own = pipeline_of(tmp_path, line)
    assert own.trusted == ()
    module = SimpleNamespace(build=lambda: pytest.fail("it was built"))
    monkeypatch.setattr(catalogue.importlib, "import_module", lambda name: module)
    with pytest.raises(UserError, match=r"own.py: `.*TRUSTED.*` is not understood"):
        own.build()


def test_trusted_that_is_not_understood_stops_its_own_cells_only(package: Any) -> None:
    """The reason names the file and what to write; another pipeline is fitted all the same."""
    result = package(vague=f'{GOOD}\nTRUSTED = "a.b"\n', extra=GOOD)
    sentence = r"vague\.py: `TRUSTED = 'a\.b'` is not understood.*write the names out"
    with pytest.raises(BuildError, match=sentence):
        fit(result["vague"])
    assert fit(result["extra"]).payload_bytes
