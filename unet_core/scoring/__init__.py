"""How good labels and models are: matching, evaluation, tuning, ladders and published scores.

Counts of pixels stand in `imaging.metrics`.
"""
