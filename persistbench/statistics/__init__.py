"""Ratios, shares and lines with their uncertainty: numbers in, numbers out."""
