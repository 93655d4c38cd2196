"""The U-Net: the network itself, its anatomy and costs, and trained ones on disk.

How images go through it stands in `predict`, how it learns in `training`.
"""
