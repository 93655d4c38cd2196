"""U-Net segmentation of microscopy images, without any user interface.

Nothing is imported here, so that a module which needs no torch never waits for it.
"""

__version__ = "0.1.0"
