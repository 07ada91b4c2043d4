"""Keyword models: a small network on a folder of spoken words."""
