"""A refusal prints the very name that admits what was refused, or says that no name does."""

import functools
import importlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.preprocessing import FunctionTransformer
from typer.testing import CliRunner

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cli.app import app
from persistbench.errors import UserError

ALLOW_LIST, SKOPS = backends.get("pickle-5-allowlist"), backends.get("skops")
OPCODE = pickle.STACK_GLOBAL + pickle.STOP

SOURCE = """
from sklearn.base import BaseEstimator

class Top(BaseEstimator):
    def double(self, X):
        return 2 * X

    @staticmethod
    def triple(X):
        return 3 * X

class Outer:
    class Inner(BaseEstimator):
        class Innermost(BaseEstimator):
            pass

def function(X):
    return X

def build():
    class Local(BaseEstimator):
        pass
    return Local()

in_one_line = lambda X: X
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A user's own module, called `own.code`."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").touch()
    (tmp_path / "own" / "code.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("own.code")
    for name in [name for name in sys.modules if name.partition(".")[0] == "own"]:
        del sys.modules[name]


def asks(folder: Path, module: str, name: str, protocol: int = 5) -> str:
    """Write a pickle that asks for one name as it likes, and return its path."""
    if protocol < 4:
        content = f"c{module}\n{name}\n.".encode()
    else:
        texts = (pickle.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in (module, name))
        content = pickle.PROTO + bytes([protocol]) + b"".join(texts) + OPCODE
    (folder / "crafted").write_bytes(content)
    return str(folder / "crafted")


NESTED: dict[str, Callable[[Any], Any]] = {
    "own.code.Outer.Inner": lambda own: own.Outer.Inner(),
    "own.code.Outer.Inner.Innermost": lambda own: own.Outer.Inner.Innermost(),
    "own.code.Top": lambda own: own.Top(),
    "own.code.Top.triple": lambda own: FunctionTransformer(own.Top.triple),
    "own.code.Top.double": lambda own: FunctionTransformer(own.Top.double),
    "own.code.function": lambda own: FunctionTransformer(own.function),
    "functools.partial": lambda own: FunctionTransformer(functools.partial(np.mean, axis=0)),
    "numpy.log1p": lambda own: FunctionTransformer(np.log1p),
    "scipy.special._special_ufuncs.expit": lambda own: FunctionTransformer(expit),
}


@pytest.mark.parametrize("name", NESTED)
def test_allow_list_admits_the_name_that_it_printed(own: Any, tmp_path: Path, name: str) -> None:
    """Nested classes, functions of classes, partials and ufuncs: the printed name is enough."""
    path = str(tmp_path / "artifact")
    ALLOW_LIST.dump(NESTED[name](own), path)
    with pytest.raises(pickle.UnpicklingError) as refusal:
        ALLOW_LIST.load(path)
    assert str(refusal.value).split()[0] == name
    assert type(ALLOW_LIST.trusting((name,)).load(path)) is type(NESTED[name](own))


SAVED_BY_SKOPS: dict[str, Callable[[Any], Any]] = {
    "own.code.Top": lambda own: own.Top(),
    "own.code.function": lambda own: FunctionTransformer(own.function),
    "own.code.Top.double": lambda own: FunctionTransformer(own.Top().double),
    "functools.partial": lambda own: FunctionTransformer(functools.partial(own.function)),
}


@pytest.mark.parametrize("name", SAVED_BY_SKOPS)
def test_skops_admits_the_names_that_it_printed(own: Any, tmp_path: Path, name: str) -> None:
    """Classes, functions, methods and partials: the printed names are enough."""
    path = str(tmp_path / "artifact")
    SKOPS.dump(SAVED_BY_SKOPS[name](own), path)
    printed = tuple(SKOPS.audit(path))
    with pytest.raises(TypeError) as refusal:
        SKOPS.load(path)
    assert name in printed
    assert all(repr(one) in str(refusal.value) for one in printed)
    assert type(SKOPS.trusting(printed).load(path)) is type(SAVED_BY_SKOPS[name](own))


@pytest.mark.parametrize(
    ("make", "asked"),
    [
        (lambda own: own.Outer.Inner(), "own.code.Inner"),
        (lambda own: own.Outer.Inner.Innermost(), "own.code.Innermost"),
        (lambda own: own.build(), "own.code.Local"),
        (lambda own: FunctionTransformer(own.Top.triple), "own.code.triple"),
        (lambda own: FunctionTransformer(own.in_one_line), "own.code.<lambda>"),
    ],
)
def test_what_skops_cannot_find_again_is_said(
    own: Any, tmp_path: Path, make: Callable[[Any], Any], asked: str
) -> None:
    """The file of skops has the last name only: once it is trusted, the reason says what to do."""
    path = str(tmp_path / "artifact")
    SKOPS.dump(make(own), path)
    assert SKOPS.audit(path) == [asked]
    trusting = SKOPS.trusting((asked,))
    with pytest.raises(AttributeError, match="at the top of the module") as error:
        trusting.load(path)
    assert f"asks for {asked}" in str(error.value)
    assert not trusting.refuses(error.value)


@pytest.mark.parametrize("name", ["own.code.Outer.Inner", "own.code.Outer.Inner.Innermost"])
def test_skops_says_that_it_cannot_admit_a_nested_class(
    own: Any, tmp_path: Path, name: str
) -> None:
    """With the whole name trusted, the refusal says why it helps nothing, and what to do."""
    path = str(tmp_path / "artifact")
    SKOPS.dump(NESTED[name](own), path)
    trusting = SKOPS.trusting((name,))
    with pytest.raises(TypeError, match="at the top of the module") as refusal:
        trusting.load(path)
    assert f"never find {name} again" in str(refusal.value)
    assert trusting.refuses(refusal.value)


def test_skops_says_at_once_that_no_name_admits_a_lambda(own: Any, tmp_path: Path) -> None:
    """The refusal of a lambda does not send anybody to TRUSTED."""
    path = str(tmp_path / "artifact")
    SKOPS.dump(FunctionTransformer(own.in_one_line), path)
    with pytest.raises(TypeError, match=r"never find own\.code\.<lambda> again"):
        SKOPS.load(path)


def test_attribute_error_of_the_users_own_code_is_left_alone(own: Any, tmp_path: Path) -> None:
    """What a class raises when it is given its state is its own error."""

    def refuse(self: Any, state: Any) -> None:
        raise AttributeError("mine")

    path = str(tmp_path / "artifact")
    SKOPS.dump(own.Top(), path)
    own.Top.__setstate__ = refuse
    with pytest.raises(AttributeError, match=r"^mine$"):
        SKOPS.trusting(("own.code.Top",)).load(path)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("own.code", "Outer"),  # on the way to what is trusted
        ("own.code", "Outer.Inner.Innermost"),  # beyond it
        ("own.code", "Outer.Inner.__init__.__globals__"),
        ("own", "code.sys.modules"),
        ("own.code.Outer", "Inner.fit"),
        ("own.code", "Outer..Inner"),
        ("", "own.code.Outer.Inner"),
        ("own.code.Outer.Inner", ""),
        ("sklearn.pipeline", "Pipeline.__init__.__globals__"),  # beyond a reviewed name
        ("sklearn", "pipeline.Pipeline"),  # a reviewed name has one pair
        ("os", "path.join"),
    ],
)
def test_dots_lead_nowhere_else(own: Any, tmp_path: Path, module: str, name: str) -> None:
    """A file that splits or prolongs a trusted name is refused."""
    path = asks(tmp_path, module, name)
    with pytest.raises(pickle.UnpicklingError, match="is not on the reviewed list"):
        ALLOW_LIST.trusting(("own.code.Outer.Inner",)).load(path)


def test_another_split_of_a_trusted_name_is_the_same_object(own: Any, tmp_path: Path) -> None:
    """Pickle's own split gives the class; other splits give an error, and nothing else."""
    trusting = ALLOW_LIST.trusting(("own.code.Outer.Inner",))
    assert trusting.load(asks(tmp_path, "own.code", "Outer.Inner")) is own.Outer.Inner
    with pytest.raises(pickle.UnpicklingError, match=r"own\.code is a module"):
        trusting.load(asks(tmp_path, "own", "code.Outer.Inner"))
    with pytest.raises(ModuleNotFoundError):
        trusting.load(asks(tmp_path, "own.code.Outer", "Inner"))


@pytest.mark.parametrize("imported", [True, False])
def test_class_in_the_place_of_a_module_is_not_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imported: bool
) -> None:
    """`from .part import part` hides a module: its function is trusted, not the class's."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .part import part")
    (folder / "part.py").write_text(
        "def run(): pass\n\nclass part:\n    def run(self): pass\n    run.bad = True\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    trusting = ALLOW_LIST.trusting(("own.part.run",))
    try:
        if imported:
            importlib.import_module("own")
        with pytest.raises(pickle.UnpicklingError, match=r"own\.part is a module"):
            trusting.load(asks(tmp_path, "own", "part.run"))
        assert not hasattr(trusting.load(asks(tmp_path, "own.part", "run")), "bad")
    finally:
        for name in ("own", "own.part"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize("protocol", [0, 2])
def test_name_of_python_2_is_not_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    """Python 2 had a module `commands`: whoever trusts an own one does not trust subprocess."""
    mine = ModuleType("commands")
    mine.run = print  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "commands", mine)
    trusting = ALLOW_LIST.trusting(("commands.run",))
    assert trusting.load(asks(tmp_path, "commands", "run", protocol)) is print


def test_refusal_of_getattr_warns(own: Any, tmp_path: Path) -> None:
    """A bound method asks for `getattr`; the refusal says what trusting that would mean."""
    path = str(tmp_path / "artifact")
    ALLOW_LIST.dump(FunctionTransformer(own.Top().double), path)
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.getattr is not .* any code"):
        ALLOW_LIST.trusting(("own.code.Top",)).load(path)


def build(pipeline: catalogue.Pipeline, monkeypatch: pytest.MonkeyPatch, **names: Any) -> None:
    """Build a pipeline whose file has these names once it is imported."""
    module = SimpleNamespace(build=lambda: pytest.fail("it was built"), **names)
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    pipeline.build()


NO_NAMES = [
    "function",
    "",
    " ",
    ".",
    "own.",
    ".own",
    "own..code",
    "own code.function",
    "own.code.function ",
    "own.code.*",
    "own.code:function",
    "own.code.function()",
    "own.code.build.<locals>.Local",
]


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("backend", [ALLOW_LIST, SKOPS], ids=lambda backend: backend.id)
def test_what_no_file_can_ask_for_is_said(backend: backends.Backend, name: str) -> None:
    """A text that is no name of a module's part is one sentence, not a list that admits nothing."""
    with pytest.raises(UserError, match="file can ask for") as error:
        backend.trusting(("own.code.Top", name))
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_no_file_can_ask_for_is_said_of_a_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In TRUSTED the sentence names the file and the text, and nothing is admitted."""
    path = tmp_path / "mine.py"
    path.write_text(f"TRUSTED = ({name!r},)\n")
    mine = catalogue.Pipeline("mine", path, "pipelines")
    assert mine.trusted == ()
    with pytest.raises(UserError, match=r"mine\.py: .*file can ask for"):
        build(mine, monkeypatch)


@pytest.mark.parametrize(
    "line",
    [
        'TRUSTED = []\nTRUSTED.append("own.code.Top")',
        'TRUSTED = ["a.b"]\nTRUSTED.extend(["own.code.Top"])',
        'TRUSTED = ["a.b"]\nTRUSTED[0] = "own.code.Top"',
        'TRUSTED = ["a.b"]\nTRUSTED[:] = ["own.code.Top"]',
        'globals()["TRUSTED"] = ("own.code.Top",)',
        "TRUSTED = ['a.b']\ndel TRUSTED",
        "TRUSTED: tuple[str, ...]",
    ],
)
def test_trusted_that_comes_by_another_way_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """A list that the imported file has, and that does not stand in its text, is not understood."""
    path = tmp_path / "mine.py"
    path.write_text(line)
    names: dict[str, Any] = {}
    exec(line, names)  # noqa: S102 (the lines above)
    with pytest.raises(UserError, match=r"mine\.py: .*TRUSTED.* is not understood"):
        build(catalogue.Pipeline("mine", path, "pipelines"), monkeypatch, **names)


def test_use_of_trusted_is_no_change(tmp_path: Path) -> None:
    """A line that only reads the list leaves it as it is."""
    path = tmp_path / "mine.py"
    path.write_text('TRUSTED = ("a.b",)\nassert len(TRUSTED) == 1\nCOUNT = TRUSTED.count("a.b")\n')
    mine = catalogue.Pipeline("mine", path, "pipelines")
    assert mine.trusted == ("a.b",)


@pytest.mark.parametrize("backend", [ALLOW_LIST, SKOPS], ids=lambda backend: backend.id)
def test_inspect_takes_the_name_that_it_printed(
    own: Any, tmp_path: Path, backend: backends.Backend
) -> None:
    """`inspect --steps` fails with a name; with `--trust` and this name it shows the steps."""
    nested = backend is ALLOW_LIST
    backend.dump(own.Outer.Inner() if nested else own.Top(), str(tmp_path / "file"))
    name = "own.code.Outer.Inner" if nested else "own.code.Top"
    command = ["inspect", str(tmp_path / "file"), "--backend", backend.id, "--steps", "--trusted"]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, UserError)
    assert name in str(result.exception)
    result = CliRunner().invoke(app, [*command, "--trust", name])
    assert result.exit_code == 0, result.exception
    result = CliRunner().invoke(app, [*command, "--trust", "a name"])
    assert "'a name'" in str(result.exception)
