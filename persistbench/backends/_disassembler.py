"""Inspects a plain pickle without loading it."""

import io
import pickletools


def disassemble(path: str) -> str:
    """Return the instructions of a pickle, a line each, as ``python -m pickletools`` prints them.

    Args:
        path: of the pickle.

    Raises:
        ValueError: the file is no pickle.
    """
    text = io.StringIO()
    with open(path, "rb") as file:
        pickletools.dis(file, out=text)
    return text.getvalue()
