"""The tests mirror the package: one file for each of its files."""
