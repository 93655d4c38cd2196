# Read by type checkers, and by lazy_loader when the package is imported.
from .base.config import Segmentation as Segmentation
from .base.config import TrainConfig as TrainConfig
from .data import datasets as datasets
from .imaging.formats import Image as Image
from .imaging.formats import read_image as read_image
from .imaging.instances import components as components
from .imaging.instances import watershed as watershed
from .imaging.matching import Counts as Counts
from .imaging.matching import iou_matrix as iou_matrix
from .imaging.matching import match as match
from .imaging.stacks import take_plane as take_plane
from .imaging.weight_map import weight_map as weight_map
from .network.model import UNet as UNet
from .predict.model import Model as Model
from .predict.model import load as load
from .runs.recipes import train as train
from .training.trainer import Epoch as Epoch
from .training.trainer import Step as Step
from .training.validator import Checking as Checking

__version__: str
