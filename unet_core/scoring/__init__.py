"""How good labels and models are: scores, tuning, ladders, and published figures.

Counts of pixels stand in `imaging.metrics`.
"""
