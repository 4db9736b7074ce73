"""``python -m persistbench``."""

from persistbench.cli import main

main()
