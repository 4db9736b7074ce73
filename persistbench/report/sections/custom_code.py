"""Custom code: which functions and classes of the user's own come back, and where."""

from typing import Any

from markupsafe import Markup

from persistbench.outcomes import Outcome
from persistbench.records import forms
from persistbench.records.figures import Table
from persistbench.report import heat
from persistbench.report.templates import fill

ORDER = 74
TITLE = "Custom code"
TRIALS = (forms.CUSTOM_CODE,)

FALSE_SUCCESS = "false success"
"""The dump has succeeded, and nobody can use what it wrote."""

KINDS = (
    "module-function",
    "module-class",
    "partial",
    "main-function",
    "main-class",
    "ufunc",
    "lambda",
    "closure",
    "local-class",
)
"""From what is found by its name to what has none; where a ufunc is found is chance."""

STYLES = {FALSE_SUCCESS: heat.Style("#D55E00", "!"), **heat.OUTCOMES}


def render(table: Table) -> Markup | None:
    """Return a heat map of kinds of code and backends, the module present and absent."""
    platforms = table.tried(forms.CUSTOM_CODE)
    if not platforms:
        return None
    alt_text = (
        "Heat maps of the outcome by kind of code and backend, "
        "with the module present and absent where the artifact is loaded."
    )
    others = {record["subject"] for _, result in platforms for record in result} - set(KINDS)
    return fill(
        "custom_code.html",
        untried=table.untried(forms.CUSTOM_CODE),
        chart=heat.interactive(
            "custom-code",
            platforms,
            tell,
            STYLES,
            alt_text,
            subjects=(*KINDS, *sorted(others)),
            columns=("present", "absent"),
        ),
        platforms=[(index, honest(result)) for index, result in platforms],
    )


def tell(record: dict[str, Any]) -> tuple[str, str]:
    """Return the word and the reason that are shown of a record."""
    if record.get("false_success") is True:
        return FALSE_SUCCESS, f"{record['outcome']}: {record['reason']}"
    return str(record["outcome"]), str(record["reason"])


def honest(records: list[dict[str, Any]]) -> list[str]:
    """Return the installed backends that never claim a success that is none."""
    liars = {record["backend"] for record in records if tell(record)[0] == FALSE_SUCCESS}
    tried = {r["backend"] for r in records if r["outcome"] != Outcome.NOT_INSTALLED}
    return sorted(tried - liars)
