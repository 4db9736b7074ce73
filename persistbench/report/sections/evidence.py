"""Evidence: caveats first, then how it was measured, on what, and every single figure."""

from importlib.resources import files
from typing import Any

import altair as alt
from markupsafe import Markup

from persistbench.records.figures import Table
from persistbench.report import charts
from persistbench.report.templates import asset, fill

ORDER = 90
TITLE = "Evidence"


def render(table: Table) -> Markup | None:
    """Return caveats, method, facts of the machines, and a table that evidence.js fills."""
    bundle = files("itables") / "html"
    drawn = charts.interactive(
        "samples", chart(), "Every sample of the chosen pipeline and question."
    )
    return fill(
        "evidence.html",
        chart=drawn,
        platforms=[
            (platform, table.calibrations.get(platform.machine)) for platform in table.platforms
        ],
        warnings=table.warnings,
        # DataTables, as itables packs it for pages without a network.
        library=(bundle / "dt_bundle.js").read_text("utf-8"),
        style=Markup((bundle / "dt_bundle.css").read_text("utf-8")),  # noqa: S704 (a library)
        script=asset("evidence.js"),
    )


def chart() -> Any:
    """Return the data set ``samples``: backend, value in seconds, order from 0 to 1."""
    return (
        alt.Chart(alt.NamedData("samples"))
        .mark_point(opacity=0.7, size=36)
        .encode(
            x=alt.X(
                "value:Q",
                title="one call",
                scale=alt.Scale(type="log", padding=12, nice=False),
                axis=charts.log_axis(charts.TIME),
            ),
            y=alt.Y("backend:N", title=None),
            color=alt.Color(
                "order:Q",
                title="earlier to later",
                scale=alt.Scale(scheme="viridis", domain=[0, 1]),
                legend=alt.Legend(labelOpacity=0),
            ),
            tooltip=[alt.Tooltip("backend:N"), alt.Tooltip("value:Q", format=".4s", title="s")],
        )
        .properties(width="container", height=alt.Step(18), autosize=charts.FIT)
    )
