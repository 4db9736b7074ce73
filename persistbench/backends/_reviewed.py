"""Names that may be loaded."""

NAMES: frozenset[tuple[str, str]] = frozenset()
