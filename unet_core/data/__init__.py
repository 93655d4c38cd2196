"""Data sets: the catalogue, downloads, generated ones, samples, splits and statistics.

What a training draws from them stands in `training`.
"""
