"""What machine this is: its facts, and a name that tells it from others of its class.

The suffix of the name is a keyed hash of two ids. ``/etc/machine-id`` alone is shared by the
copies of one image, and a random id in the home alone is shared where homes are: a machine that
differs in either one has another name. The hash gives neither id away.
"""

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path

REFERENCE_PREFIX = "reference-"
"""Begins the name of results that were published as a reference; no local name begins so."""

_MACHINE_ID = Path("/etc/machine-id")


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
        OSError: the folder cannot be written.
    """
    try:
        system = _MACHINE_ID.read_text().strip()
    except OSError:
        system = ""
    return system, _random_id()


def _random_id() -> str:
    state = os.environ.get("XDG_STATE_HOME")
    folder = (Path(state) if state else Path.home() / ".local" / "state") / "persistbench"
    file = folder / "machine-id"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder) as draft:
            draft.write(secrets.token_hex(16))
            draft.flush()
            # Where another process was first, its id holds.
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, file)
    return file.read_text().strip()
