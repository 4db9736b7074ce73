"""Imported by multiprocessing's fork server, so that its children find done what all need.

Only libraries are imported: what a pipeline's file does reaches no child but its own.
"""

import ctypes  # noqa: F401
import warnings

from sklearn.utils import all_estimators

from persistbench.sandbox import orphans

all_estimators()  # which imports all of scikit-learn
orphans.adopt()
# Of orphans that were adopted, and killed, the fork server says that it does not know them.
warnings.filterwarnings("ignore", message="forkserver: waitpid")
