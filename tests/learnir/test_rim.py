"""The rim of a person who is relit on the device: the renderer's own, and no line in the pairs."""

import dataclasses

import numpy as np
import pytest
import torch
from archives import batched, write_archive

from dataset_tools import fringe
from learnir.training import compositing, drawing
from learnir.training.archive import load_archive

HAIR, WALL = np.float32([0.02, 0.015, 0.01]), np.float32([0.65, 0.68, 0.7])


def head_before_a_wall(hair, size=128, radius=40.0):
    """A disc of hair, its edge two pixels of mixture; and how much of each pixel it covers."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    share = np.clip((radius - np.hypot(rows, columns)) / 2 + 0.5, 0, 1).astype(np.float32)
    return share[..., None] * hair + (1 - share[..., None]) * WALL, share


@pytest.mark.parametrize("mm", [0.7, 1.0, 1.6])
def test_the_rim_takes_the_persons_colour_as_in_the_renderer(mm):
    picture, person = head_before_a_wall(HAIR)
    other, _ = head_before_a_wall(10 * HAIR)  # pictures of a batch keep apart
    zero = torch.zeros(2, 1, 128, 128)
    sizes = torch.tensor([mm, 1.0]).view(2, 1, 1, 1)
    maps = compositing.Maps(
        batched(person).repeat(2, 1, 1, 1), zero, zero, zero, zero, zero, zero, sizes
    )
    both = compositing.decontaminated(torch.cat([batched(picture), batched(other)]), maps)
    ours, others = both.permute(0, 2, 3, 1).numpy()
    seen = person > 0.4
    assert np.abs(ours - HAIR)[seen].max() < 0.01
    assert np.abs(ours - fringe.decontaminated(picture, person, mm))[seen].max() < 0.01
    assert np.abs(others - 10 * HAIR)[seen].max() < 0.01
    assert np.array_equal(ours[person == 0], picture[person == 0])


def test_the_inside_and_single_hairs_keep_what_they_are():
    picture = np.random.default_rng(0).random((96, 96, 3)).astype(np.float32)
    _, person = head_before_a_wall(HAIR, 96, 30.0)
    person[:, 90] = 1
    zero = torch.zeros(1, 1, 96, 96)
    maps = compositing.Maps(
        batched(person), zero, zero, zero, zero, zero, zero, torch.ones(1, 1, 1, 1)
    )
    base = compositing.decontaminated(batched(picture), maps)[0].permute(1, 2, 0).numpy()
    _, inner = head_before_a_wall(HAIR, 96, 26.0)
    assert np.allclose(base[inner == 1], picture[inner == 1])
    assert np.allclose(base[:, 90], picture[:, 90])


def test_pairs_have_no_pale_rim_before_a_dark_wall(tmp_path, monkeypatch):
    """A dark head cut from a white wall, relit before a dark one: nothing between is brighter."""
    stored = load_archive(write_archive(tmp_path / "a.npz", np.random.default_rng(0))).layers
    picture, person = head_before_a_wall(HAIR)
    maps = torch.zeros(5, 7, 128, 128, dtype=torch.uint8)
    maps[:, 0] = torch.from_numpy(np.round(255 * person).astype(np.uint8))
    maps[:, 2] = 200  # shade
    maps[:, 6] = 128  # sky
    base = (255 * compositing.encode(batched(picture))).round().to(torch.uint8)
    drawn = drawing._looks

    def dark(*given):
        look, one = drawn(*given), torch.ones(5, 1, 1, 1)
        return dataclasses.replace(
            look, background=0.02 * one, has_backdrop=0 * one, exposure=one, gloss=0 * one
        )

    monkeypatch.setattr(drawing, "_looks", dark)
    head = dataclasses.replace(
        stored,
        base=base.repeat(5, 1, 1, 1),
        maps=maps,
        shadows=torch.full((5, 3, 128, 128), 255, dtype=torch.uint8),
        mm=torch.ones(5),
        ranges=tuple(dataclasses.replace(one, relit=1.0, dyed=0.0) for one in stored.ranges),
    )
    generator = torch.Generator().manual_seed(0)
    _, x = drawing.draw_pairs(head, torch.arange(5), 128, (1.0, 1.0), 1.0, generator)
    clean = compositing.decode((x + 1) / 2)
    assert float(clean.max()) < 2 * float(clean[..., 50:78, 50:78].max())
