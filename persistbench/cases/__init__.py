"""What is saved: the catalogue, its fitted pipelines, and cases of a chosen size."""
