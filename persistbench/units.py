"""One way to print a number."""

_SCALES = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}


def human(value: float | None, unit: str) -> str:
    """Return a value with three significant digits and a unit of a readable size."""
    if value is None:
        return ""
    value = float(f"{value:.3g}")  # before the scale is chosen: 999.9 ms is 1 s
    if unit == "ratio":
        return f"{value:,g}×"
    scales = _SCALES.get(unit, ((1.0, unit),))
    scale, name = next((s for s in scales if abs(value) >= s[0]), scales[-1])
    return f"{float(f'{value / scale:.3g}'):,g} {name}"


def times(ratio: float) -> str:
    """Return a ratio with two significant digits, and two decimals close to 1."""
    if ratio == 1:
        return "1×"
    if 0.95 < ratio < 1.05:
        return f"{ratio:.2f}×"
    rounded = float(f"{ratio:.2g}")
    return f"{rounded:,.0f}×" if rounded >= 10 else f"{rounded:.2g}×"
