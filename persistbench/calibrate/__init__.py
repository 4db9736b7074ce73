"""Is the instrument right on this machine?"""
