"""The catalogue: what is saved. One file per pipeline, found by discovery.

A pipeline file has a docstring whose first line says what it stresses, and a function
``build()`` that returns a :class:`persistbench.Case`. Files whose names start with an
underscore are helpers.
"""
