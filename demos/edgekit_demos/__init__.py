"""Demos on top of edgekit, and the small models and data that they carry."""
