"""What to do about attacks and accidents: the list of docs/safety.md, which trials link to."""

from markupsafe import Markup

from persistbench.records import forms
from persistbench.records.figures import Table
from persistbench.report import advice
from persistbench.report.templates import fill

ORDER = 80
TITLE = "What to do"
SHOWS = ()  # it is a text


def render(table: Table) -> Markup | None:
    """Return the numbered advice, where something is there that it is about."""
    tried = any(table.tried(kind) for kind in (*forms.ATTACKS, *forms.ACCIDENTS))
    return fill("advice.html", advice=advice.read()) if tried and advice.read() else None
