"""One pipeline saved by one backend: is there an artifact, and is it right?"""
