"""Federations of real machines, an engine a folder."""
