"""What README.md and docs/*.md say of the reference results: every number comes from a record.

The documents hold cogapp's blocks, which call these functions. `make pictures` prints the blocks
anew, and a test fails when a document and the records differ.
"""

from persistbench.report.documents.readme import readme
from persistbench.report.documents.safety import safety

__all__ = ["readme", "safety"]
"""Each returns the Markdown of one section."""
