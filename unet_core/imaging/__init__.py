"""From files to arrays, and what is computed of arrays: labels, targets, weight maps, objects.

No network and no data set; torch is not imported.
"""
