import numpy as np

from ui.shared import columns
from unet_core.data import datasets
from unet_core.imaging.measure import measure


def test_every_column_of_every_table_has_words_of_its_own() -> None:
    labels_HW = np.eye(6, dtype=np.int32)
    found = datasets.statistics("synthetic-nuclei")
    tables = (measure(labels_HW, labels_HW, pixel_size_um=0.5), found.images, found.objects)
    for table in tables:
        told = [columns.words(name) for name in table]
        assert len(set(told)) == len(told)
        assert not set(told) & set(table)
        assert set(columns.config(table)) == set(table)


def test_lengths_and_areas_carry_their_units() -> None:
    assert columns.words("area") == "Area (px²)"
    assert columns.words("area_um2") == "Area (µm²)"
    assert columns.words("perimeter_um") == "Perimeter (µm)"
    assert columns.words("share_nucleus") == "Nucleus (share)"
