"""What happens after the answer: the log of changes is read, and others are told.

A process of its own (`python -m app worker`), of which there may be several.
"""
