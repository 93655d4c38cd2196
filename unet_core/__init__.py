"""U-Net segmentation of microscopy images, without any user interface.

What notebooks need is offered here; `__init__.pyi` says where each name lives. A name's module is
imported when the name is first used, so that whoever needs no torch never waits for it.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
