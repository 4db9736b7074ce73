"""What this machine is and has: memory, page cache, file system."""
