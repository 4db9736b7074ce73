"""The page: one file with everything in it, so that it opens from a disk with no network."""

import vl_convert

from persistbench.records import forms
from persistbench.records.figures import Platform, Table
from persistbench.report import charts, dataset, measured, sections
from persistbench.report.tables import HOW_TO_MEASURE
from persistbench.report.templates import asset, fill


def render(table: Table) -> str:
    """Return the page's HTML; without figures it says which command makes them."""
    shown = [(section, section.render(table)) for section in sections.discover()]
    rows = dataset.rows(table)
    return fill(
        "page.html",
        sections=[
            (
                section.__name__.rpartition(".")[2],
                section.TITLE,
                html,
                measured.lines(section, table),
            )
            for section, html in shown
            if html is not None and (rows or table.trials)
        ],
        measured=bool(rows),
        how_to_measure=HOW_TO_MEASURE,
        warnings=table.warnings,
        platforms=_platforms(table.platforms),
        notices=measured.notices(table),
        pipelines=_pipelines(table),
        figures=dataset.columns(rows),
        samples=dataset.samples(table),
        themes={"light": charts.theme(dark=False), "dark": charts.theme(dark=True)},
        style=asset("page.css"),
        script=asset("page.js"),
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
    )


def _platforms(platforms: list[Platform]) -> list[tuple[str, str]]:
    """Return the address and the name of each platform: its machine, and what is special to it.

    Versions that all environments share say nothing.
    """
    every = [set(platform.requirements.items()) for platform in platforms]
    shared = set.intersection(*every) if every else set()
    result = []
    for platform in platforms:
        own = [
            f"{name} {version}"
            for name, version in platform.requirements.items()
            if (name, version) not in shared
        ]
        result.append(
            (f"{platform.machine}/{platform.environment}", ", ".join((platform.machine, *own)))
        )
    names = [name for _, name in result]
    return [
        (address, name if names.count(name) == 1 else address.replace("/", ", ", 1))
        for address, name in result
    ]


def _pipelines(table: Table) -> dict[str, str]:
    """Return what each pipeline stresses; empty where no record says so."""
    known = {
        name: pipeline.stresses
        for about in table.about.values()
        for name, pipeline in about.pipelines.items()
    }
    usable = {f.pipeline for f in table.figures if f.value is not None and not f.scaled}
    usable |= {r["subject"] for _, result in table.tried(forms.EXACTNESS) for r in result}
    return {name: known.get(name, "") for name in sorted(usable)}
