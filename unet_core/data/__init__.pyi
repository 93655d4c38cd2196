# Only this one is offered: `unet_core.datasets` is this module.
from . import datasets as datasets
