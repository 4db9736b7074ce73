"""Is the loaded pipeline the one that was saved? Its answers and its state say so."""
