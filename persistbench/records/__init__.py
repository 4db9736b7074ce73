"""What is in results/, for ever: one module for each kind of record, its writer and its reader."""
