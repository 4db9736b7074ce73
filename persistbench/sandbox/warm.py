"""Imported by multiprocessing's fork server, so that its children find done what all need."""

import ctypes  # noqa: F401
import warnings

from persistbench.cases import catalogue
from persistbench.sandbox import orphans

catalogue.preload()
orphans.adopt()
# Of orphans that were adopted, and killed, the fork server says that it does not know them.
warnings.filterwarnings("ignore", message="forkserver: waitpid")
