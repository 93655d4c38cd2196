"""Data sets: the catalogue, downloads, generated ones, samples, splits, patches and statistics.

The batches that a training draws from them stand in `training`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
