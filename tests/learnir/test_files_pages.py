"""TIFFs of several pages: smaller copies of the picture are left out, other pages are refused."""

import io

import numpy as np
import pytest
import tifffile
from profiles import display_p3_icc

from learnir.decoding import decode_rgb
from learnir.encoding import encode_photo
from learnir.files import decode_photo
from learnir.images import ImageError

REDUCED = 1


def tiff(*pages, **options):
    """A TIFF of (picture, NewSubfileType, options of the page)."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out, **options) as writer:
        for picture, kind, own in pages:
            writer.write(picture, subfiletype=kind, photometric="rgb", metadata=None, **own)
    return out.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}])
def test_smaller_copies_behind_a_picture_are_left_out_and_said(scene, dtype, options):
    picture = scene(dtype=dtype)
    small = [(picture[::n, ::n].copy(), REDUCED, {}) for n in (2, 4)]
    photo = decode_photo(tiff((picture, 0, {}), *small, **options), "scan.tif")
    assert photo.picture.dtype == dtype
    assert np.array_equal(photo.picture, picture)
    assert photo.notes == ("smaller copies on further pages left out",)
    with tifffile.TiffFile(io.BytesIO(encode_photo(photo, photo.picture))) as again:
        assert len(again.pages) == 1
        assert np.array_equal(again.pages[0].asarray(), picture)


def test_what_a_smaller_copy_says_of_itself_is_not_true_of_the_picture(scene):
    picture, own = scene(), {"iccprofile": display_p3_icc(), "resolution": (300, 300)}
    photo = decode_photo(tiff((picture, 0, {}), (picture[::2, ::2].copy(), REDUCED, own)), "a.tif")
    assert (photo.icc, photo.dpi) == (None, None)
    assert np.array_equal(photo.picture, picture)


@pytest.mark.parametrize("kinds", [(0, 0), (REDUCED, 0), (0, REDUCED, 0)])
def test_pages_to_choose_from_are_refused(scene, kinds):
    pages = [(scene(), kind, {}) for kind in kinds]
    with pytest.raises(ImageError, match=rf"^a\.tif: TIFF with {len(kinds)} frames or pages; "):
        decode_rgb(tiff(*pages), "a.tif")


def test_a_raw_photograph_is_not_mistaken_for_the_preview_in_front_of_it(scene):
    """DNG and NEF are TIFFs, whose first page is the preview and leads to the sensor's values."""
    out, picture = io.BytesIO(), scene()
    with tifffile.TiffWriter(out) as writer:
        small = picture[::4, ::4].copy()
        writer.write(small, subfiletype=REDUCED, photometric="rgb", metadata=None, subifds=1)
        writer.write(picture[..., 1].astype(np.uint16), photometric="cfa", metadata=None)
    with pytest.raises(ImageError, match=r"^a\.dng: a RAW photograph .* JPEG or TIFF$"):
        decode_photo(out.getvalue(), "a.dng")


def test_a_preview_that_leads_to_nothing_else_is_a_picture(scene):
    assert np.array_equal(decode_rgb(tiff((scene(), REDUCED, {})), "a.tif"), scene())
