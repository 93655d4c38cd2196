"""How a network learns: recipes, crops, augmentation, losses and the training loop.

Processes and folders of runs stand in `runs`.
"""
