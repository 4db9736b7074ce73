"""How should I save this fitted pipeline? Answered with measurements.

A fitted pipeline (:class:`Case`) is dumped by a backend to an artifact (a file),
loaded again and compared with the original; asv times the calls.
"""

from persistbench.case import Case

__all__ = ["Case"]
__version__ = "0.1.0"
