"""From raw pixels and a trained network to labels and files, with the recipe that repeats it.

Scores stand in `scoring`.
"""
