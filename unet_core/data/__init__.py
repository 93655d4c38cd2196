"""Data sets: catalogue, downloads, generated and own ones, samples, splits, patches, statistics.

The batches that a training draws from them stand in `training`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
