"""What a crafted artifact can do: one module for each kind of trial."""
