"""Is the loaded pipeline the one that was saved? By its answers, and by its state."""
