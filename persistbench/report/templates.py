"""HTML is made by Jinja: every text that goes in is escaped.

A section's template and script lie beside its .py file in sections/; what several sections
share lies in assets/.
"""

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from persistbench.units import human, times

_FOLDERS = tuple(Path(__file__).parent / name for name in ("sections", "assets"))
_JSON: dict[str, Any] = {"sort_keys": False, "separators": (",", ":"), "allow_nan": False}


@cache
def _environment() -> Environment:
    result = Environment(
        loader=FileSystemLoader(_FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result.filters |= {"human": human, "times": times, "packed": packed}
    result.policies["json.dumps_kwargs"] = _JSON
    return result


def fill(template: str, **values: Any) -> Markup:
    """Return a template with its values, escaped."""
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 (escaped)


def asset(name: str) -> Markup:
    """Return a script or style sheet of ours as it is."""
    path = next(folder / name for folder in _FOLDERS if (folder / name).is_file())
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 (our own file)


def packed(value: Any) -> str:
    """Return a text, or a value as JSON, compressed; page.js unpacks it. A third of the bytes."""
    text = value if isinstance(value, str) else json.dumps(value, **_JSON)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
