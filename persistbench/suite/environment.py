"""asv's environments made by uv: one command installs all pins at once, in seconds.

asv 0.6.6 has an environment of type ``uv``, which installs every requirement with a pip of its own,
one after the other. Named in asv.conf.json as a plugin, so that asv knows the type.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from asv import util
from asv.console import log
from asv.plugins.uv import Uv

_BESIDE = str(Path(sys.executable).parent)


def uv() -> str | None:
    """Return the path of uv: that of PATH, or the one beside this interpreter; None without one."""
    return shutil.which("uv") or shutil.which("uv", path=_BESIDE)


def said(output: str) -> str:
    """Return the error in what uv has printed, in one line of at most 500 characters.

    Args:
        output: all that uv has printed. A line begins with ``error:``, lines of causes follow, and
            after an empty line hints.
    """
    _, found, error = f"\n{output}".rpartition("\nerror: ")
    lines = (error if found else output).strip().partition("\n\n")[0].splitlines()
    return "; ".join(line.strip().removeprefix("cause: ") for line in lines)[:500].rstrip(".")


class PinnedUv(Uv):
    """A virtual environment by uv, from the interpreter that runs asv where the version fits."""

    tool_name = "uv-pinned"

    def __init__(self, conf: Any, python: str, requirements: Any, tagged_env_vars: Any) -> None:
        """Find uv on PATH or beside the interpreter; asv's class looks on PATH alone."""
        if shutil.which("uv") is None and uv() is not None:
            os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", ""), _BESIDE))
        super().__init__(conf, python, requirements, tagged_env_vars)

    @classmethod
    def matches(cls, python: str) -> bool:
        """Return whether this type serves a Python; asv's class raises AttributeError here."""
        return python[:1].isdigit() and uv() is not None

    def find_executable(self, executable: str) -> str:
        """Return the path of a program that asv.conf.json's commands name.

        asv looks for programs in the environment alone; uv is not one of the environment's. By
        looking for pip, asv finds out whether the environment is there: it takes one without pip
        for none, removes it, and makes it anew.
        """
        if executable in ("uv", "pip"):
            return str(self._uv_path)
        return str(super().find_executable(executable))

    def _setup(self) -> None:
        """Called by asv to make the environment."""
        bin_folder = str(Path(self._path, "bin"))
        path = os.pathsep.join((bin_folder, os.environ.get("PATH", "")))
        self._venv_env_vars = {"VIRTUAL_ENV": self._path, "PATH": path}
        log.info(f"Creating environment for {self.name}")
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        python = sys.executable if self._python == running else self._python
        self._uv("venv", "--no-project", f"--python={python}", self._path)
        log.info(f"Installing requirements for {self.name}")
        self._install_requirements()

    def _install_requirements(self) -> None:
        # asv names its own requirements, without a version, beside those of asv.conf.json.
        pins: dict[str, str] = {}
        for key, version in (*self._base_requirements.items(), *self._requirements.items()):
            name = key.removeprefix("pip+")
            pins[name] = f"=={version}" if version else pins.get(name, "")
        names = [f"{name}{version}" for name, version in pins.items()]
        self._uv("pip", "install", f"--python={self._path}", *names)

    def _uv(self, *arguments: str) -> None:
        """Run uv; it takes what is installed here and fetches no interpreter.

        Raises:
            util.UserError: uv has failed; what it said is quoted.
        """
        environment = {**os.environ, **self.build_env_vars, **self._venv_env_vars}
        environment |= {"UV_PYTHON_DOWNLOADS": "never"}
        command = [self._uv_path, *arguments]
        output, _, status = util.check_output(
            command,
            env=environment,
            timeout=1800,
            valid_return_codes=None,
            display_error=False,
            return_stderr=True,
            redirect_stderr=True,
        )
        if status != 0:
            raise util.UserError(
                f'The environment cannot be made, because uv says: "{said(output)}". Libraries '
                "that are not on this machine yet are fetched from the network."
            )
