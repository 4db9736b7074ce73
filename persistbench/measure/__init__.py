"""What takes time or memory, measured; without asv."""
