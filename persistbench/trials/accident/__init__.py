"""What an accident does to an artifact or a save: one module for each kind of trial."""
