"""What can go wrong and is not an outcome of a cell."""


class UserError(Exception):
    """Bad input. Its text is one sentence that names what is wrong and what to do.

    The command line prints that sentence, without a traceback, and exits with 2.
    """


class UnsupportedError(Exception):
    """A backend is asked for what it does not do, by design: the cell is n/a."""
