"""``python -m persistbench``."""

from persistbench.cli.app import main

main()
