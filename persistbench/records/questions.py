"""What the names of questions and subjects say, for writer and reader."""


def size_of(name: str) -> tuple[str, int]:
    """Return the kind and the size of the pipeline with this name, measured here or elsewhere."""
    kind, _, shown = name.partition("-")
    return kind, int(shown.removesuffix("MB")) * (10**6 if shown.endswith("MB") else 1)
