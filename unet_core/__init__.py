"""U-Net segmentation without an interface: data, training, inference, objects and scores.

Nothing is imported here, so that a module which needs no torch never waits for it.
"""

__version__ = "0.1.0"
