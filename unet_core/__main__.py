"""``python -m unet_core <command>``."""

import sys

from unet_core.cli.main import main

sys.exit(main())
