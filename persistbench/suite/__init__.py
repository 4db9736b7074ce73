"""All that runs asv and patches it."""
