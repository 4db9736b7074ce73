"""What machine this is: its facts, and a name that tells it from others of its class.

The suffix of the name is a keyed hash of two ids. The copies of one image share
``/etc/machine-id``. Machines that share a home share the random id in the home. A machine that
differs in either id has another name. The hash gives neither id away.
"""

import hashlib
import os
import re
import secrets
from pathlib import Path

from persistbench import files
from persistbench.errors import UserError

REFERENCE_PREFIX = "reference-"
"""Begins the name of results that were published as a reference; no local name begins so."""

MACHINE_ID = Path("/etc/machine-id")
"""Holds the id that systemd has given to the installed system; elsewhere it is not there."""


def local_name(facts: str, ids: tuple[str, str]) -> str:
    """Return the name of a machine: the slug of its class and six hexadecimal digits.

    Args:
        facts: what tells its class, such as CPU, cores, memory, system and file system.
        ids: the id of the installed system (may be empty) and the random id of the user.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", facts.lower()).strip("-")
    if slug.startswith(REFERENCE_PREFIX):
        slug = f"local-{slug}"
    digest = hashlib.blake2b("\n".join(ids).encode(), digest_size=3, person=b"persistbench")
    return f"{slug}-{digest.hexdigest()}"


def ids() -> tuple[str, str]:
    """Return the id of the installed system, or an empty one, and the random id of the user.

    The random id is made once, in ``$XDG_STATE_HOME/persistbench`` or in
    ``~/.local/state/persistbench``.

    Raises:
        UserError: the system has no id, and the folder cannot be written.
    """
    try:
        system = MACHINE_ID.read_text().strip()
    except OSError:
        system = ""
    try:
        return system, _random_id()
    except OSError as error:
        if system:  # it must do alone: copies of one image have one name then
            return system, ""
        raise UserError(
            f"This machine has no id to name its results by, and none can be kept ({error}): set "
            "XDG_STATE_HOME to a folder that you can write to."
        ) from error


def _random_id() -> str:
    state = os.environ.get("XDG_STATE_HOME")
    folder = (Path(state) if state else Path.home() / ".local" / "state") / "persistbench"
    file = folder / "machine-id"
    if not file.exists():
        with files.draft(file) as draft:
            draft.write_text(secrets.token_hex(16))
            try:
                os.link(draft, file)
            except FileExistsError:
                pass  # another process was first, and its id holds
            except OSError:  # a file system without hard links
                draft.replace(file)
    return file.read_text().strip()
