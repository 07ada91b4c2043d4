"""Classifiers: a backbone and one layer on a folder of pictures."""
