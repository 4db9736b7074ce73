"""Looks into a plain pickle without loading it."""

import io
import pickletools


def disassemble(path: str) -> None:
    """Write out what a pickle asks for, as ``python -m pickletools`` does."""
    with open(path, "rb") as file:
        pickletools.dis(file, out=io.StringIO())


LOOKS = {"pickletools.dis": disassemble}
"""For :meth:`persistbench.backends.Backend.looks`."""
