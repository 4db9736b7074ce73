"""The asv suite: one file per question.

Backends, pipelines and harness are part of the benchmark, so like every asv benchmark
they come from the working tree, not from the installed distribution: a file dropped in
is measured before it is committed. What an environment varies is the libraries.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
