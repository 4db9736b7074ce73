"""The tests mirror the package: one file for each of its files."""

import os
import sys

# Without compiled modules every interpreter, and there are hundreds, compiles scikit-learn anew for
# seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Threads of OpenMP that wait spin by default: on a busy machine they take the cores from those that
# they wait for, and a fit of a second takes forty.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
