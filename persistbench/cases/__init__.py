"""The pipelines that are saved: the catalogue, the kept fits, and cases of a chosen size."""
