"""HEIC and AVIF, as phones and the web have them: read with all they carry, written as JPEG."""

import io
import struct
import sys

import numpy as np
import pytest
from albums import save
from PIL import ExifTags, Image, ImageCms
from profiles import display_p3_icc
from skimage.data import astronaut

from dataset_tools.photos import PhotoError, decode_picture
from learnir.encoding import encode_photo, losses
from learnir.files import decode_photo
from learnir.images import ImageError
from learnir.planning import Writing, plan

pillow_heif = pytest.importorskip("pillow_heif")
pillow_heif.register_heif_opener()
KINDS = {"HEIF": "heic", "AVIF": "avif"}
ORIENTATION, ARTIST = 0x0112, 0x013B
W, H = 0xA002, 0xA003


@pytest.fixture(scope="module")
def face() -> Image.Image:
    return Image.fromarray(astronaut()[:240, 130:330])


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **{"quality": 95} | options)
    return out.getvalue()


def said_of(orientation: int, size: tuple[int, int]) -> bytes:
    """EXIF as a phone writes it: the sides are those of the sensor."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = orientation, "Ann"
    exif.get_ifd(ExifTags.IFD.Exif).update({W: size[0], H: size[1]})
    return exif.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_they_are_upright_as_the_same_jpeg_is(face, kind, orientation):
    exif = said_of(orientation, face.size)
    photo = decode_photo(encoded(face, kind, exif=exif), "a")
    jpeg = decode_photo(encoded(face, "JPEG", exif=exif), "a.jpg")
    assert photo.picture.shape == jpeg.picture.shape
    assert np.abs(photo.picture.astype(int) - jpeg.picture).mean() < 3
    assert photo.exif is not None
    assert photo.exif[ARTIST] == "Ann"
    assert photo.exif.get(ORIENTATION, 1) == 1
    sides = photo.exif.get_ifd(ExifTags.IFD.Exif)
    assert (sides[H], sides[W]) == photo.picture.shape[:2]


@pytest.mark.parametrize("kind", KINDS)
def test_what_they_carry_is_in_the_jpeg(face, kind):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = decode_photo(encoded(face, kind, icc_profile=icc, exif=said_of(1, face.size)), "a")
    assert (photo.format, photo.written_as, photo.lossless) == (kind.lower(), "jpeg", False)
    with Image.open(io.BytesIO(encode_photo(photo, photo.picture))) as image:
        assert image.format == "JPEG"
        assert image.info["icc_profile"] == icc
        assert image.getexif()[ARTIST] == "Ann"
        assert np.abs(np.asarray(image).astype(int) - np.asarray(face)).mean() < 3


@pytest.mark.parametrize("suffix", [".heic", ".HEIC", ".heif", ".avif", ".jpg"])
def test_a_folder_of_them_becomes_jpegs(command, tmp_path, face, suffix):
    (tmp_path / "in").mkdir()
    kind = "AVIF" if suffix == ".avif" else "HEIF"  # some programs call a HEIC .jpg
    (tmp_path / "in" / f"IMG_1{suffix}").write_bytes(encoded(face, kind))
    code, said, errors = command(tmp_path / "in", "-o", tmp_path / "out", "--compare")
    assert code == 0, errors
    assert "1 restored" in said
    with Image.open(tmp_path / "out" / "IMG_1.jpg") as image:
        assert (image.format, image.size) == ("JPEG", face.size)
    _, said, _ = command(tmp_path / "in", "-o", tmp_path / "out", "--resume")
    assert "0 restored, 1 skipped" in said


def test_another_format_may_be_asked_for(command, tmp_path, face):
    source = tmp_path / "a.heic"
    clear = face.convert("RGBA")
    clear.putalpha(128)
    source.write_bytes(encoded(clear, "HEIF"))
    code, _, errors = command(source, "-o", tmp_path / "out")
    assert code == 1
    assert errors.startswith(f"{source}: JPEG cannot hold transparency; choose --format png")
    assert command(source, "-o", tmp_path / "out", "--format", "png")[0] == 0
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert image.mode == "RGBA"


def test_a_heic_beside_the_jpeg_it_would_become_keeps_its_whole_name(tmp_path, scene, face):
    for name in ("in/a.jpg", "in/b.JPG", "in/sub/a.png", "in/a.heic", "in/B.heic", "in/c.heic"):
        place = tmp_path / name
        if place.suffix == ".heic":
            place.write_bytes(encoded(face, "HEIF"))
        else:
            save(place, scene())
    planned = plan([str(tmp_path / "in")], tmp_path / "out", Writing())
    names = {task.source.name: task.target.name for task in planned.tasks}
    alike = {name: name for name in ("a.jpg", "b.JPG", "a.png")}
    heic = {"a.heic": "a.heic.jpg", "B.heic": "B.heic.jpg", "c.heic": "c.jpg"}
    assert names == alike | heic
    (once,) = plan(2 * [str(tmp_path / "in" / "a.heic")], tmp_path / "out", Writing()).tasks
    assert once.target.name == "a.jpg"
    png = plan([str(tmp_path / "in")], tmp_path / "out", Writing(format="png")).tasks
    assert {t.target.name for t in png} == {
        *("a.jpg.png", "a.heic.png", "b.JPG.png", "B.heic.png", "a.png", "c.png")
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_file_cut_short_is_one_line(face, kind, share):
    data = encoded(face, kind)
    with pytest.raises(ImageError, match=r"^a\.x: .*(cut short|damaged)") as caught:
        decode_photo(data[: int(len(data) * share)], "a.x")
    assert "\n" not in str(caught.value)
    with pytest.raises(PhotoError, match=r"^a\.x: "):
        decode_picture(data[: int(len(data) * share)], "a.x")


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_on_pixels_holds(face, kind):
    with pytest.raises(ImageError, match="more than the limit"):
        decode_photo(encoded(face, kind), "a", most_pixels=100)


def test_deep_colour_is_reduced_and_said():
    ramp = np.repeat((np.arange(64, dtype=np.uint16) * 1024)[None, :, None], 3, 2).repeat(64, 0)
    deep = pillow_heif.from_bytes(mode="RGB;16", size=(64, 64), data=ramp.tobytes())
    out = io.BytesIO()
    deep.save(out, quality=-1)
    photo = decode_photo(out.getvalue(), "a.heic")
    assert photo.notes == ("10 bits reduced to 8",)
    assert np.abs(photo.picture.astype(int) - (ramp >> 8)).max() <= 2


def in_colours(face, kind, primaries, curve):
    """Such a file, in which both numbers are said as by cameras of HDR pictures."""
    data = encoded(face, kind)
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">2H", primaries, curve) + data[place + 4 :]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("primaries", "curve"), [(12, 13), (9, 16), (9, 18)])
def test_colours_that_are_not_srgb_are_told_and_kept_in_a_png(face, kind, primaries, curve):
    photo = decode_photo(in_colours(face, kind, primaries, curve), "a.x")
    told = "its colour description (cICP) is left out; convert it to sRGB first"
    assert losses(photo, "jpeg") == [told]
    assert losses(photo, "png") == []
    png = encode_photo(photo, photo.picture, "png")
    assert b"cICP" + bytes([primaries, curve, 0, 1]) in png


@pytest.mark.parametrize("kind", KINDS)
def test_colours_that_are_taken_for_srgb_or_have_a_profile_are_not_told(face, kind):
    for data in (
        encoded(face, kind),
        in_colours(face, kind, 6, 6),
        in_colours(face, kind, 2, 2),
        encoded(face, kind, icc_profile=display_p3_icc()),
    ):
        assert losses(decode_photo(data, "a.x"), "jpeg") == []


def test_of_several_pictures_the_main_one_is_taken(face):
    both = pillow_heif.from_pillow(face.rotate(180))
    both.add_from_pillow(face)
    out = io.BytesIO()
    both.save(out, primary_index=1, quality=95)
    photo = decode_photo(out.getvalue(), "a.heic")
    assert np.abs(photo.picture.astype(int) - np.asarray(face)).mean() < 3


def test_without_the_package_heic_is_one_line_and_avif_is_read(face, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for decode, kind in ((decode_photo, ImageError), (decode_picture, PhotoError)):
        with pytest.raises(kind, match=r"^a\.heic: HEIC needs pillow-heif; .+ pip install"):
            decode(encoded(face, "HEIF"), "a.heic")
    assert decode_photo(encoded(face, "AVIF"), "a.avif").picture.shape == (*face.size[::-1], 3)


@pytest.mark.parametrize("kind", KINDS)
def test_portraits_for_faceshadow_may_be_such(face, kind):
    picture = decode_picture(encoded(face, kind, exif=said_of(6, face.size)), "a", longest=100)
    assert picture.shape == (83, 100, 3)
