# Generated from _async/__init__.py by scripts/generate_sync.py: change that file instead.
"""The blocking client, generated from `_async`."""
