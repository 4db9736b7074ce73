"""Tells what machine this is, in asv's fields, and registers it without asking."""

import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import psutil

from persistbench.system import machine
from persistbench.system.file_system import file_system

_OURS = ", artifacts on "
"""Found in the description of a machine that was registered here."""


def describe() -> dict[str, str]:
    """Return asv's machine fields: CPU, cores, memory, OS and file system of the artifacts."""
    from asv.machine import Machine

    facts: dict[str, str] = dict(Machine.get_defaults())
    cores = os.cpu_count() or 1
    memory = round(psutil.virtual_memory().total / 2**30)
    files = file_system(Path(tempfile.gettempdir()))
    kind = f"{facts['cpu']}-{cores}cpu-{memory}gb-{platform.system()}-{files}"
    return facts | {
        "machine": machine.local_name(kind, machine.ids()),
        "os": f"{_distribution()}, {platform.system()} {platform.release()}{_OURS}{files}",
        "cpu": f"{facts['cpu']} ({cores} cores)",
        "ram": f"{memory} GiB",
    }


def register() -> str:
    """Make sure that asv knows this machine; return its name.

    A machine that the user has registered stays as it is. A machine that was registered here is
    described again, under another name, when TMPDIR has moved to another file system. So is a
    machine whose name is that of its class alone, as names once were.
    """
    from asv.machine import Machine, MachineCollection
    from asv.util import UserError as AsvError

    host = Machine.get_unique_machine_name()
    facts = describe()
    try:
        known: dict[str, Any] = MachineCollection.load(host)
    except AsvError:
        known = {}
    if known and (_OURS not in known["os"] or known["machine"] == facts["machine"]):
        return str(known["machine"])
    # Under the host's name, because that is what a plain `asv run` looks for.
    MachineCollection.save(host, facts)
    return facts["machine"]


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)
