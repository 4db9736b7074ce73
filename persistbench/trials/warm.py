"""Imported by multiprocessing's fork server, so that its children find done what all need."""

from persistbench import catalogue

catalogue.preload()
