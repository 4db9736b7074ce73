"""What a reader should do: the numbered list of docs/safety.md, its only source."""

import re
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup

_FILES = (
    Path(__file__).parents[2] / "docs" / "safety.md",  # of a checkout
    Path(sysconfig.get_path("data"), "share", "doc", "persistbench", "safety.md"),  # of a wheel
)

_MARKDOWN = MarkdownIt("commonmark")
_ANCHOR = re.compile(r'<a id="([a-z]+)">')


class Advice(NamedTuple):
    """One item of the numbered list.

    Attributes:
        sentence: what to do; the item's bold text, as HTML.
        why: the text after the sentence, as HTML.
        code: how to do it, in Python; empty where it takes no code.
    """

    sentence: Markup
    why: Markup
    code: str


def document() -> str:
    """Return the text of docs/safety.md; empty if the file is not there."""
    path = next((path for path in _FILES if path.is_file()), None)
    return path.read_text(encoding="utf-8") if path else ""


@cache
def read() -> dict[str, Advice]:
    """Return the advice by its anchor, in the order of the document."""
    tree = SyntaxTreeNode(_MARKDOWN.parse(document()))
    items = (node for node in tree.walk() if node.type == "list_item")
    return dict(advice for item in items for advice in _advice(item))


def _advice(item: SyntaxTreeNode) -> Iterator[tuple[str, Advice]]:
    """Yield the anchor and the advice of a list item; nothing if the item has no anchor."""
    text = next(node.children for node in item.walk() if node.type == "inline")
    anchor = _ANCHOR.fullmatch(text[0].content) if text[0].type == "html_inline" else None
    if anchor is None:
        return
    at = next(index for index, node in enumerate(text) if node.type == "strong")
    sentence, why = _html(text[at].children), _html(text[at + 1 :])
    code = next((node.content.rstrip() for node in item.children if node.type == "fence"), "")
    yield anchor[1], Advice(sentence, why, code)


def _html(inline: Sequence[SyntaxTreeNode]) -> Markup:
    """Return inline text as HTML; the document is the project's own."""
    tokens = [token for node in inline for token in node.to_tokens()]
    text = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return Markup(" ".join(str(text).split()))  # noqa: S704
