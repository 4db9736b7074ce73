"""What can go wrong and is not an outcome of a cell."""

import difflib


class UserError(Exception):
    """Bad input. Its text is one sentence that names what is wrong and what to do.

    The command line prints that sentence, without a traceback, and exits with 2.
    """


class UnsupportedError(Exception):
    """A backend is asked for what it does not do, by design: the cell is n/a."""


def unknown(kind: str, name: str, known: list[str]) -> str:
    """Return the sentence for a name that nobody knows."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"There is no {kind} {name!r}: {hint}`persistbench list` shows all of them."
