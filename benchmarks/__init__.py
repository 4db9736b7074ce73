"""The asv suite: one file per question.

Backends, pipelines and harness are part of the benchmark. Like every asv benchmark they come from
the working tree, not from the installed distribution. So a new file is measured before it is
committed. An environment varies the libraries.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
