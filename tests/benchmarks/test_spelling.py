"""Names that one system spells otherwise than another: accents within their letters or behind."""

import numpy as np
import pytest
from sample_methods import write

from benchmarks.names import BenchmarkError
from benchmarks.pairs import open_collection

APART, WITHIN = "e\u0301", "\u00e9"


def test_a_pair_may_be_spelled_in_two_ways_and_is_called_after_its_input(tmp_path):
    for side, name in (("input", APART), ("target", WITHIN), ("mask", WITHIN)):
        write(tmp_path / side / name / f"{name}1.png", np.zeros((8, 8, 3), np.uint8))
    found = open_collection(str(tmp_path))
    assert [source.key for source in found.sources] == [f"{APART}/{APART}1"]
    assert found.sources[0].mask is not None
    assert found.unpaired == ()


def test_two_spellings_on_one_side_are_two_files_of_one_key(tmp_path):
    for side, name in (("input", APART), ("input", WITHIN), ("target", WITHIN)):
        write(tmp_path / side / f"{name}.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(BenchmarkError, match="keep one"):
        open_collection(str(tmp_path))
