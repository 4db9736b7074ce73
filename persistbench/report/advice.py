"""What a reader should do: the sentences of docs/safety.md, which is their only source."""

import re
import sysconfig
import textwrap
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup, escape

_PLACES = (
    Path(__file__).parents[2] / "docs" / "safety.md",  # of a checkout
    Path(sysconfig.get_path("data"), "share", "doc", "persistbench", "safety.md"),  # of a wheel
)

_ITEM = re.compile(
    r'^\d+\. +<a id="(?P<id>[a-z]+)"></a>\*\*(?P<sentence>.+?)\*\*(?P<rest>.*?)(?=^\d+\. |^#|\Z)',
    re.MULTILINE | re.DOTALL,
)
_FENCE = re.compile(r"^ *```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


class Advice(NamedTuple):
    """One sentence of the numbered list.

    Attributes:
        sentence: what to do.
        why: what stands after it.
        code: how, in Python; empty where it takes none.
    """

    sentence: Markup
    why: Markup
    code: str


def document() -> str:
    """Return docs/safety.md; empty if it is not there."""
    path = next((path for path in _PLACES if path.is_file()), None)
    return path.read_text(encoding="utf-8") if path else ""


@cache
def read() -> dict[str, Advice]:
    """Return the advice by its anchor, in the order of the document."""
    result = {}
    for item in _ITEM.finditer(document()):
        code = _FENCE.search(item["rest"])
        result[item["id"]] = Advice(
            _text(item["sentence"]),
            _text(_FENCE.sub("", item["rest"])),
            textwrap.dedent(code[1]).rstrip() if code else "",
        )
    return result


def _text(markdown: str) -> Markup:
    """Return a paragraph as HTML; of Markdown it knows code."""
    parts = " ".join(markdown.split()).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )
