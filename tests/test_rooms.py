"""The rooms of the package are few, and whatever is public in them says what it is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "persistbench"
FILES = sorted(path.relative_to(ROOT) for path in PACKAGE.rglob("*.py"))


def test_few_files_lie_flat() -> None:
    """At most a dozen files lie in no room."""
    assert len(list(PACKAGE.glob("*.py"))) <= 12


def public(tree: ast.Module) -> Iterator[ast.Module | ast.FunctionDef | ast.ClassDef]:
    """Yield a module, and its functions and classes that have no private name."""
    yield tree
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", FILES, ids=str)
def test_whatever_is_public_has_a_docstring(path: Path) -> None:
    """Modules, and public functions and classes in them, say what they are."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    silent = [
        getattr(node, "name", "the module") for node in public(tree) if not ast.get_docstring(node)
    ]
    assert not silent
