"""The U-Net: the network itself, its anatomy and costs, its features, and trained ones on disk.

How raw pixels become probabilities stands in `predict`, how it learns in `training`.
"""
