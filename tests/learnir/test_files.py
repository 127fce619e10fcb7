"""Files come back as they were: format, depth, alpha, metadata, colour profile."""

import io
import struct
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from albums import encoded, png_chunk
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from profiles import display_p3_icc, table_icc, wide_gamut_icc

from learnir.colour import matrix_profile, srgb_icc
from learnir.decoding import decode_rgb
from learnir.encoding import check_format, encode_photo, loses_depth
from learnir.files import decode_photo, read_photo
from learnir.images import ImageError, to_unit

ORIENTATION, ARTIST, EXIF_IFD, LENS = 0x0112, 0x013B, 0x8769, 0xA434


def deep(pixels, suffix=".png"):
    """16-bit file by OpenCV, RGB(A) or grey."""
    order = [2, 1, 0, 3][: pixels.shape[2]] if pixels.ndim == 3 else slice(None)
    return cv2.imencode(suffix, pixels[..., order])[1].tobytes()


def exif_of(orientation=6):
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = orientation, "Ann"
    exif.get_ifd(EXIF_IFD)[LENS] = "50 mm"
    return exif


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_lossless_files_come_back_pixel_for_pixel(scene, format):
    picture = scene()
    data = encoded(Image.fromarray(picture), format, lossless=True)
    photo = decode_photo(data, "a")
    again = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert again.format == format
    assert np.array_equal(np.asarray(again.convert("RGB")), picture)


def test_jpeg_comes_back_as_a_jpeg_hardly_changed(scene):
    picture = cv2.GaussianBlur(scene(), (0, 0), 2)
    photo = decode_photo(encoded(Image.fromarray(picture), "JPEG", quality=98), "a")
    again = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert again.format == "JPEG"
    assert np.abs(np.asarray(again).astype(int) - photo.picture).mean() < 1.5


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_sixteen(scene, channels, suffix):
    rgba = np.dstack([scene(dtype=np.uint16), scene(dtype=np.uint16, seed=1)[..., 0]])
    pixels = rgba[..., 0] if channels == 1 else rgba[..., :channels]
    photo = decode_photo(deep(pixels, suffix), "a")
    assert photo.picture.dtype == np.uint16
    data = encode_photo(photo, photo.picture)
    if suffix == ".tif":
        back = tifffile.imread(io.BytesIO(data))
    else:
        back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        back = back[..., [2, 1, 0, 3][:channels]] if channels > 1 else back
    assert np.array_equal(back, pixels)
    assert loses_depth(photo, "jpeg")
    assert not loses_depth(photo, "png")


def tiff(pixels, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **options)
    return out.getvalue()


def test_channels_stored_apart_are_read_with_8_bits_and_refused_with_16(scene):
    picture = scene()
    planes = {"photometric": "rgb", "planarconfig": "separate"}
    apart = tiff(picture.transpose(2, 0, 1), **planes)
    assert np.array_equal(decode_photo(apart, "a").picture, picture)
    deep_apart = tiff(scene(dtype=np.uint16).transpose(2, 0, 1), **planes)
    grey = scene(dtype=np.uint16)[..., 0]
    alone = tiff(grey, photometric="minisblack", extratags=[(284, "H", 1, 2, False)])
    assert np.array_equal(decode_photo(alone, "a").picture[..., 0], grey)
    for decode in (decode_photo, decode_rgb):
        with pytest.raises(ImageError, match=r"a.tif: .*interleaved"):
            decode(deep_apart, "a.tif")


def test_a_scanners_negative_is_read_as_it_looks(scene):
    for dtype in (np.uint8, np.uint16):
        grey = scene(dtype=dtype)[..., 0]
        data = tiff(np.iinfo(dtype).max - grey, photometric="miniswhite")
        photo = decode_photo(data, "a")
        assert np.array_equal(photo.picture[..., 0], grey)
        assert np.abs(decode_rgb(data, "a")[..., 0] - to_unit(grey) * 255).max() <= 0.51
        back = tifffile.imread(io.BytesIO(encode_photo(photo, photo.picture)))
        assert np.array_equal(back, grey)


def test_twelve_bits_fill_sixteen():
    grey = np.array([[0, 1, 2048, 4095]], np.uint16)
    bits = "".join(f"{value:012b}" for value in grey[0])
    strip = int(bits, 2).to_bytes(6, "big")
    ifd = ImageFileDirectory_v2(prefix=b"II")
    ifd.update({256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 6})
    data = b"II\x2a\x00\x08\x00\x00\x00" + ifd.tobytes(8) + strip
    expected = np.round(grey / 4095 * 65535)
    assert np.array_equal(decode_photo(data, "a").picture[..., 0], expected)


def test_a_tiffs_colours_are_freed_of_their_alpha(scene):
    colour, alpha = scene(dtype=np.uint16), scene(dtype=np.uint16, seed=1)[..., :1]
    alpha[0, 0] = 0
    premultiplied = np.round(colour * (alpha / 65535)).astype(np.uint16)
    pixels = np.concatenate([premultiplied, alpha], axis=2)
    photo = decode_photo(tiff(pixels, photometric="rgb", extrasamples=["assocalpha"]), "a")
    assert np.array_equal(photo.alpha, alpha[..., 0])
    seen = alpha[..., 0] > 0
    assert np.abs(photo.picture[seen].astype(int) - colour[seen]).max() <= 65535 / alpha[seen].min()
    assert not photo.picture[~seen].any()
    kept = decode_photo(tiff(pixels, photometric="rgb", extrasamples=["unassalpha"]), "a")
    assert np.array_equal(kept.picture, premultiplied)


def deep_png(kind, pixels, *more):
    """A PNG of 16 bits, its header's colour type ``kind``, without any library."""
    H, W = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", W, H, 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    pixel_data = png_chunk(b"IDAT", zlib.compress(rows))
    body = [png_chunk(b"IHDR", header), *more, pixel_data, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def test_deep_grey_with_alpha_stays_grey(scene):
    pixels = scene(dtype=np.uint16)[..., :2]
    photo = decode_photo(deep_png(4, pixels), "a")
    assert photo.grey
    assert np.array_equal(photo.picture[..., 0], pixels[..., 0])
    assert np.array_equal(photo.alpha, pixels[..., 1])
    again = decode_photo(encode_photo(photo, photo.picture), "a")
    assert np.array_equal(again.picture, photo.picture)
    assert np.array_equal(again.alpha, photo.alpha)


def test_a_deep_grey_level_that_is_transparent_stays_so(scene):
    grey = scene(dtype=np.uint16)[..., 0]
    clear = int(grey[3, 5])
    photo = decode_photo(deep_png(0, grey, png_chunk(b"tRNS", struct.pack(">H", clear))), "a")
    assert photo.grey
    assert np.array_equal(photo.picture[..., 0], grey)
    assert np.array_equal(photo.alpha, np.where(grey == clear, 0, 65535))


def test_grey_with_alpha_keeps_both(scene):
    grey = Image.fromarray(scene()).convert("L")
    grey.putalpha(Image.fromarray(scene(seed=1)[..., 0]))
    photo = decode_photo(encoded(grey, "PNG"), "a")
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert back.mode == "LA"
    assert np.array_equal(np.asarray(back), np.asarray(grey))


def test_alpha_is_untouched_by_the_restoration(scene):
    pixels = np.dstack([scene(), scene(seed=1)[..., 0]])
    photo = decode_photo(encoded(Image.fromarray(pixels), "PNG"), "a")
    back = np.asarray(Image.open(io.BytesIO(encode_photo(photo, 255 - photo.picture))))
    assert np.array_equal(back[..., 3], pixels[..., 3])
    assert np.array_equal(back[..., :3], 255 - pixels[..., :3])


def test_transparency_does_not_go_into_a_jpeg(scene):
    pixels = np.dstack([scene(), scene(seed=1)[..., 0]])
    photo = decode_photo(encoded(Image.fromarray(pixels), "PNG"), "a")
    with pytest.raises(ImageError, match="--format png"):
        encode_photo(photo, photo.picture, "jpeg")


@pytest.mark.parametrize("kind", ["RGBA", "LA", "16 bits", "HEIF"])
def test_alpha_that_clears_nothing_does_not_keep_a_picture_from_jpeg(scene, kind):
    opaque = np.dstack([scene(64, 64), np.full((64, 64), 255, np.uint8)])
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if kind == "16 bits":
        data = deep(opaque.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(opaque).convert("LA" if kind == "LA" else "RGBA")
        data = encoded(image, "HEIF" if kind == "HEIF" else "PNG")
    photo = decode_photo(data, "a")
    assert photo.alpha.min() == np.iinfo(photo.alpha.dtype).max
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture, "jpeg")))
    assert (back.format, back.mode) == ("JPEG", "L" if kind == "LA" else "RGB")
    kept = Image.open(io.BytesIO(encode_photo(photo, photo.picture, "png")))
    assert kept.mode == ("LA" if kind == "LA" else "RGBA")
    clearer = photo.alpha.copy()
    clearer[3, 5] -= 1
    with pytest.raises(ImageError, match="transparency"):
        check_format(replace(photo, alpha=clearer), "jpeg")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_is_kept_and_orientation_applied_once(scene, format):
    picture = scene(40, 56)
    data = encoded(Image.fromarray(picture), format, exif=exif_of(6))
    photo = decode_photo(data, "a")
    assert photo.picture.shape == (56, 40, 3)
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert back.size == (40, 56)
    exif = back.getexif()
    assert exif.get(ORIENTATION, 1) == 1
    assert exif[ARTIST] == "Ann"
    if format != "TIFF":  # Pillow itself leaves the inner directory out of a TIFF
        assert exif.get_ifd(EXIF_IFD)[LENS] == "50 mm"


def test_the_inner_exif_directory_reaches_a_tiff(scene):
    photo = decode_photo(encoded(Image.fromarray(scene()), "JPEG", exif=exif_of()), "a")
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture, "tiff")))
    assert back.getexif().get_ifd(EXIF_IFD)[LENS] == "50 mm"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_stripping_leaves_no_metadata(scene, format):
    data = encoded(Image.fromarray(scene()), format, exif=exif_of(), icc_profile=srgb_icc())
    photo = decode_photo(data, "a")
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture, strip=True)))
    assert ARTIST not in back.getexif()
    assert "icc_profile" not in back.info


def in_srgb(image, icc):
    """The pixels of an image in sRGB, by LittleCMS."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, profile, srgb))


WIDE = pytest.mark.parametrize("icc", [wide_gamut_icc(), display_p3_icc()], ids=["turned", "p3"])


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("format", ["png", "tiff"])
def test_pixels_keep_a_profile_that_is_not_read(scene, format, damaged):
    """16 bits in a look-up table's colours: by any other profile they are other colours."""
    icc = b"no profile of any kind" if damaged else table_icc()
    source = io.BytesIO()
    tifffile.imwrite(source, scene(20, 30, np.uint16), photometric="rgb", iccprofile=icc)
    photo = decode_photo(source.getvalue(), "a")
    assert photo.notes == ("colour profile not understood: treated as sRGB",)
    for strip in (False, True):
        data = encode_photo(photo, photo.picture, format, strip)
        assert Image.open(io.BytesIO(data)).info.get("icc_profile") == icc


def test_pixels_taken_out_of_such_a_profile_do_not_keep_it(scene):
    picture = Image.fromarray(scene(20, 30))
    photo = decode_photo(encoded(picture, "PNG", icc_profile=table_icc()), "a")
    assert photo.notes == ("colour profile converted to sRGB",)
    wanted = scene(20, 30)[..., [1, 0, 2]].astype(int)  # what the profile says of red and green
    assert np.abs(photo.picture - wanted).max() < 8
    stripped = Image.open(io.BytesIO(encode_photo(photo, photo.picture, strip=True)))
    assert "icc_profile" not in stripped.info


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("strip", [False, True])
def test_grey_pixels_keep_the_profile_that_they_are_in(scene, format, strip):
    grey, icc = Image.fromarray(scene()).convert("L"), b"the dot gain of some press"
    data = encoded(grey, format, exif=exif_of(), icc_profile=icc)
    photo = decode_photo(data, "a")
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture, strip=strip)))
    assert back.mode == "L"
    assert back.info["icc_profile"] == icc
    assert (ARTIST in back.getexif()) != strip


@WIDE
def test_a_colour_profile_is_read_as_littlecms_reads_it_and_kept(scene, icc):
    image = Image.fromarray(scene())
    photo = decode_photo(encoded(image, "PNG", icc_profile=icc), "a")
    assert matrix_profile(icc) is not None
    assert photo.picture.dtype == np.uint16  # 8 bits would lose colours on the way there and back
    assert np.abs(photo.picture / 257 - in_srgb(image, icc)).max() <= 2
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert back.info["icc_profile"] == icc
    assert np.abs(np.asarray(back).astype(int) - np.asarray(image)).max() <= 1


@WIDE
def test_what_was_restored_in_srgb_looks_so_in_the_files_own_space(scene, icc):
    photo = decode_photo(encoded(Image.fromarray(scene()), "PNG", icc_profile=icc), "a")
    restored = photo.picture // 2
    back = Image.open(io.BytesIO(encode_photo(photo, restored)))
    assert back.info["icc_profile"] == icc
    away = np.abs(in_srgb(back, icc) - restored / 257)
    inside = (restored > 20 * 257).all(axis=-1)  # of sRGB, and not so dark that a code is coarse
    assert inside.mean() > 0.8
    assert away[inside].max() <= 2


def test_cmyk_becomes_srgb_and_says_so(scene):
    image = Image.fromarray(scene()).convert("CMYK")
    photo = decode_photo(encoded(image, "JPEG", quality=98), "a")
    assert any("CMYK" in note for note in photo.notes)
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert back.mode == "RGB"
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(np.asarray(back) - expected).mean() < 6


def test_palette_pictures_expand_and_say_so(scene):
    image = Image.fromarray(scene()).quantize(16)
    photo = decode_photo(encoded(image, "PNG"), "a")
    assert any("palette" in note for note in photo.notes)
    assert np.array_equal(photo.picture, np.asarray(image.convert("RGB")))


def test_what_phones_put_beside_a_picture_is_left_out_and_told(scene):
    image = Image.fromarray(scene())
    plain = encoded(image, "JPEG")
    gain = encoded(image, "MPO", save_all=True, append_images=[image.convert("L")])
    described = encoded(image, "JPEG", xmp=b'<x:xmpmeta hdrgm:Version="1.0"/>')
    clip = struct.pack(">I", 24) + b"ftypmp42" + bytes(400)
    for data, notes in (
        (plain, ()),
        (gain, ()),  # as cameras' previews are
        (described, ("HDR gain map left out",)),
        (plain + clip, ("clip of a motion photo left out",)),
    ):
        assert decode_photo(data, "a").notes == notes


def test_resolution_is_kept(scene):
    photo = decode_photo(encoded(Image.fromarray(scene()), "JPEG", dpi=(300, 300)), "a")
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert back.info["dpi"] == pytest.approx((300, 300), rel=0.01)


def test_a_deep_png_keeps_its_resolution(scene):
    photo = decode_photo(encoded(Image.fromarray(scene()), "TIFF", dpi=(300, 150)), "a")
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture.astype(np.uint16), "png")))
    assert back.info["dpi"] == pytest.approx((300, 150), rel=0.001)


@pytest.mark.parametrize(
    ("format", "longest"), [("webp", 16383), ("jpeg", 65500), ("png", None), ("tiff", None)]
)
def test_pictures_too_long_for_a_format_are_refused_with_a_remedy(capfd, format, longest):
    strip = np.zeros((2, (longest or 65536) + 1, 3), np.uint8)
    photo = decode_photo(encoded(Image.fromarray(strip), "PNG"), "a")
    if longest is None:
        assert encode_photo(photo, photo.picture, format)
        return
    with pytest.raises(ImageError, match=rf"{longest + 1} pixels long.*choose png or tiff"):
        encode_photo(photo, photo.picture, format)
    assert capfd.readouterr().err == ""  # libjpeg speaks for itself


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_whatever_an_encoder_refuses_is_a_line(scene, monkeypatch, format):
    def refuse(*_args, **_options):
        raise ValueError("no\nsuch thing")

    photo = decode_photo(encoded(Image.fromarray(scene()), "PNG"), "a")
    monkeypatch.setattr(Image.Image, "save", refuse)
    monkeypatch.setattr("learnir.encoding.encode_tiff", refuse)
    with pytest.raises(ImageError, match=rf"written as {format} \(no such thing\); choose"):
        encode_photo(photo, photo.picture, format)


def test_folders_and_missing_files_are_named(tmp_path):
    with pytest.raises(ImageError, match="a folder, not a picture"):
        read_photo(tmp_path)
    with pytest.raises(ImageError, match=r"nothing\.png: .*check the path"):
        read_photo(tmp_path / "nothing.png")
