"""Write into the cards of shipped checkpoints what their training images look like.

`python -m scripts.note_looks nuclei membranes shapes`: for checkpoints from before trainings
noted it themselves. The weights stay as they are. The training images must be there, unchanged.
"""

import argparse
import json

from unet_core.base import folders
from unet_core.data import datasets
from unet_core.network import checkpoint
from unet_core.training import loader


def main() -> None:
    """Note the looks of one checkpoint after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help="shipped checkpoints")
    for name in parser.parse_args().names:
        card = checkpoint.card(name)
        if card is None:
            parser.error(f"{name} has no card")
        if datasets.data_hash(card["data"]) != card["data_hash"]:
            parser.error(f"the images of {card['data']} are not those that {name} was trained on")
        found = loader.load(checkpoint.read_config(name).train).model_config
        card["config"] |= {
            "looks_low": [round(number, 4) for number in found.looks_low],
            "looks_high": [round(number, 4) for number in found.looks_high],
        }
        path = folders.SHIPPED / f"{name}.json"
        path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {card['config']['looks_low']} to {card['config']['looks_high']}")


if __name__ == "__main__":
    main()
