"""Is there a file that a backend can read? And is a text from such a file safe to print?"""

import os
import stat
from pathlib import Path

from persistbench.errors import UserError
from persistbench.outcomes import explain


def check(path: Path) -> None:
    """Refuse what is no file with content. Nothing is opened: a pipe would wait for ever.

    Raises:
        UserError: there is no such file, it is empty, it may not be read, or it is no regular file.
    """
    shown = printable(str(path))
    try:
        facts = os.stat(path)  # noqa: PTH116 (it says why it fails; is_file does not)
        may_read = os.access(path, os.R_OK)
    except PermissionError as error:
        raise UserError(f"You may not look into the folder of {shown}: ask its owner.") from error
    except FileNotFoundError as error:
        raise UserError(f"There is no file {shown}: check the path.") from error
    except (OSError, ValueError) as error:
        reason = printable(explain(error))
        raise UserError(f"{shown} cannot be read ({reason}): check the path.") from error
    if stat.S_ISDIR(facts.st_mode):
        raise UserError(f"{shown} is a folder: name the file that a backend saved.")
    if not stat.S_ISREG(facts.st_mode):
        raise UserError(
            f"{shown} is a device, a pipe or a socket: copy what it gives into a file first."
        )
    if not may_read:
        raise UserError(f"You may not read {shown}: ask its owner for the permission.")
    if not facts.st_size:
        raise UserError(f"{shown} is empty: save the pipeline again.")


def printable(text: str) -> str:
    """Return a text without what steers a terminal: the maker of a file chose it."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
