"""Compositing on the device: the renderer's own numbers."""

import cv2
import numpy as np
import pytest
import torch
from archives import batched, scalar

from dataset_tools import dye, gaussian, photometry, relight
from dataset_tools.geometry import Surface
from dataset_tools.light import Light
from dataset_tools.noise import smooth_field
from learnir.images import linear_to_srgb, luminance, srgb_to_linear
from learnir.resolution import area_mean
from learnir.training import compositing
from learnir.training.dye import Dyes, dyed

SIZE = 64


@pytest.fixture
def smooth(rng):
    """A smooth picture in linear light with a bright and a dark side."""
    noise = rng.uniform(0, 1, (6, 6, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), 0.01, 1)


def test_srgb_agrees_with_the_one_place_that_converts():
    unit = np.linspace(0, 1, 257, dtype=np.float32)
    there = compositing.decode(torch.from_numpy(unit)).numpy()
    assert np.allclose(there, srgb_to_linear(unit), atol=1e-6)
    back = compositing.encode(torch.from_numpy(there)).numpy()
    assert np.allclose(back, linear_to_srgb(there), atol=1e-5)
    assert np.allclose(back, unit, atol=1e-5)


@pytest.mark.parametrize(("share", "tint"), [(0.1, 0.2), (0.4, -0.3), (0.25, 0.0)])
def test_ambient_colour_agrees_with_the_renderer(share, tint):
    ours = compositing.ambient_colour(scalar(share), scalar(tint))[0, :, 0, 0].numpy()
    assert np.allclose(ours, photometry.ambient_colour(share, tint), atol=1e-6)
    assert luminance(ours) == pytest.approx(share, abs=1e-6)


def test_composite_and_shoulder_agree_with_the_renderer(smooth, rng):
    ambient = rng.uniform(0.1, 0.5, smooth.shape).astype(np.float32)
    visible = rng.uniform(0, 1, smooth.shape).astype(np.float32)
    ours = compositing.composite(batched(smooth), batched(ambient), batched(visible))
    assert np.allclose(ours, batched(photometry.composite(smooth, ambient, visible)), atol=1e-6)
    bright = smooth * 1.6
    assert np.allclose(
        compositing.shoulder(batched(bright)), batched(relight.shoulder(bright)), atol=1e-6
    )


@pytest.mark.parametrize("ambient", [0.1, 0.4])
def test_a_foreign_shadow_takes_the_key_light_and_no_more(rng, ambient):
    """Light A + (1 - A) D on an albedo: what stands in a full shadow is left with albedo A."""
    albedo, key = rng.uniform(0.1, 0.9, (8, 8, 3)), rng.uniform(0, 1, (8, 8))
    fallen = ambient + (1 - ambient) * key
    colour = torch.full((1, 3, 1, 1), ambient)
    share = compositing.own_share(colour, batched(fallen))
    base = batched(albedo * fallen[..., None])
    dark = compositing.composite(base, share, torch.zeros(1, 1, 8, 8))
    assert np.allclose(dark, batched(albedo * ambient), atol=1e-6)
    deeper = compositing.own_share(0.5 + colour, batched(fallen))
    assert float(deeper.max()) == 1  # the side away from the light has none of the key to lose


def test_the_ambient_field_has_the_renderers_sky(rng):
    sky = rng.uniform(0.4, 1.6, (SIZE, SIZE)).astype(np.float32)
    colour = photometry.ambient_colour(0.3, 0.1)
    theirs = photometry.ambient_field(np.random.default_rng(0), colour, (SIZE, SIZE), 0.4, sky)
    wave = smooth_field(np.random.default_rng(0), (SIZE, SIZE), 2)
    ours = compositing.ambient_field(
        torch.from_numpy(colour).view(1, 3, 1, 1), batched(wave), 0.4, batched(sky)
    )
    assert np.allclose(ours, batched(theirs), atol=1e-6)


def test_sensor_noise_has_the_renderers_deviation(smooth):
    darkened, a, b = smooth * 0.3, 4e-4, 2e-6
    keep = np.clip((darkened + 1e-4) / (smooth + 1e-4), 0, 1)
    theirs = photometry.sensor_noise(np.random.default_rng(0), darkened, keep, a, b)
    white = np.random.default_rng(0).standard_normal(darkened.shape, np.float32)
    ours = compositing.sensor_noise(
        batched(smooth), batched(darkened), scalar(a), scalar(b), batched(white)
    )
    assert np.allclose(ours, batched(theirs), atol=1e-7)


def test_relighting_agrees_with_the_renderer(smooth, rng):
    yy, xx = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    face = np.hypot(xx, yy) < 0.35
    depth = (60 * np.sqrt(np.clip(0.16 - xx**2 - yy**2, 0, None))).astype(np.float32)
    normals = np.dstack([xx, yy, np.full_like(xx, 0.5)]).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    skin = face.astype(np.float32)
    scene = Surface(depth, normals, face, skin, 2.0, np.array([64, 64, 0], np.float32))
    lamp = Light(-60.0, 40.0, 1.0)
    person = np.clip(2 * skin + 0.3, 0, 1).astype(np.float32)
    ambient = photometry.ambient_field(rng, photometry.ambient_colour(0.2, 0.1), (SIZE, SIZE), 0.1)
    look = relight.Look(0.8, 0.05, 1.3, 1.1, 0.9, 0.03, 0.6, None, relief=0.4, sheen=0.02)
    lit, stays = relight.relight(
        smooth, scene, person=person, light=lamp, ambient=ambient, look=look
    )
    maps = compositing.Maps(
        batched(person),
        batched(face.astype(np.float32)),
        batched(relight.direct_shading(scene, lamp)),
        batched(relight.highlight(scene, lamp)),
        batched(skin),
        batched(skin),
        scalar(1.0).expand(1, 1, SIZE, SIZE),
        scalar(scene.mm),
    )
    values = (look.strength, look.warmth, look.exposure, look.contrast, look.saturation, look.gloss)
    values += (look.relief, look.sheen)
    looks = compositing.Looks(
        *map(scalar, values), scalar(look.background), scalar(0), batched(smooth)
    )
    ours_lit, ours_ambient = compositing.relight(batched(smooth), maps, batched(ambient), looks)
    assert np.allclose(ours_ambient, batched(stays), atol=1e-4)
    inside = (batched(person) == 1).expand_as(ours_lit)
    ratio = (ours_lit / batched(lit))[inside]
    # the exposure's percentile is read without interpolation: one factor for all pixels
    assert float(ratio.std()) < 1e-4
    assert float(ratio.mean()) == pytest.approx(1, abs=0.03)
    assert np.allclose(ours_lit[~inside], batched(lit)[~inside], atol=0.02)


@pytest.mark.parametrize("mm", [0.25, 0.6, 1.1])
def test_scattering_agrees_with_the_renderer(rng, mm):
    """A step across skin, and beside it something that is none; pictures of a batch keep apart."""
    assert compositing.SCATTER_MM == photometry.SCATTER_MM
    assert np.array_equal(np.float32(compositing.SCATTER_WEIGHTS), photometry.SCATTER_WEIGHTS)
    rows, columns = np.indices((SIZE, SIZE)) - SIZE / 2
    visible = (columns + 0.3 * rows < 0).astype(np.float32)
    skin = np.clip(0.5 - rows / 8, 0, 1).astype(np.float32)
    both = torch.cat([batched(visible), batched(1 - visible)])
    sizes = torch.tensor([mm, 0.9]).view(2, 1, 1, 1)
    ours = compositing.scattered(both, batched(skin).repeat(2, 1, 1, 1), sizes)
    for one, plane, size in zip(ours, (visible, 1 - visible), (mm, 0.9), strict=True):
        theirs = batched(photometry.scatter(plane, skin, size))[0]
        assert np.allclose(one, theirs, atol=0.01)
    red, green, _ = ours[0, :, 8, :]
    assert float((red - green).abs().max()) > 0.03  # red travels farthest
    assert torch.equal(ours[0, :, -1], batched(visible)[0].expand(3, -1, -1)[:, -1])


@pytest.mark.parametrize("sigma", [0.2, 0.8, 3.7])
def test_blur_agrees_with_the_renderer(smooth, sigma):
    plane = smooth[..., 0] + 0.2 * np.random.default_rng(1).random((SIZE, SIZE), np.float32)
    ours = compositing.blur(batched(plane), scalar(sigma))
    assert np.allclose(ours, batched(gaussian.blur(plane, sigma)), atol=1e-3)


def test_dyeing_agrees_with_the_renderer(smooth):
    where = np.zeros((SIZE, SIZE), np.float32)
    where[40:, 10:50], where[38:40] = 1, 0.4
    one = dye.Dye(level=0.06, contrast=0.4, colour=(1.2, 1.0, 0.8), saturation=0.5)
    colour = torch.tensor(one.colour).view(1, 3, 1, 1)
    dyes = Dyes(scalar(one.level), scalar(one.contrast), colour, scalar(one.saturation))
    ours = dyed(batched(smooth), batched(where), dyes)
    # the median is read without interpolation
    assert np.allclose(ours, batched(dye.dyed(smooth, where, one)), atol=2e-3)
    few = where * 0
    few[:2, :20] = 1
    assert torch.equal(dyed(batched(smooth), batched(few), dyes), batched(smooth))
    large, missed = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
    missed[:, :, 253:] = 1  # between the points at which the median is read
    assert torch.equal(dyed(large, missed, dyes), large)


def test_jpeg_keeps_what_a_real_encoder_keeps(rng):
    grey = cv2.resize(rng.uniform(0, 1, (9, 9)).astype(np.float32), (SIZE, SIZE))
    grey = np.clip(grey + rng.normal(0, 0.05, grey.shape).astype(np.float32), 0, 1)
    picture = (255 * grey + 0.5).astype(np.uint8)
    for quality in (40, 75, 95):
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        theirs = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32)
        ours = compositing.jpeg(
            batched(np.dstack([picture] * 3) / np.float32(255)), scalar(quality)
        )
        ours = 255 * ours[0, 0].numpy()
        assert np.abs(ours - theirs).mean() < 0.6  # encoders round their transform
        assert np.abs(ours - picture).mean() == pytest.approx(
            np.abs(theirs - picture).mean(), rel=0.15, abs=0.1
        )


@pytest.mark.parametrize(
    ("camera", "skin", "otherwise"),
    [(compositing.Camera(), 0.5, 0.05), (compositing.Camera(1.4, 0.06), compositing.SKIN, 0.015)],
)
def test_shadows_for_reduced_pictures_give_the_mean_of_the_picture(camera, skin, otherwise):
    """An edge through blocks of one colour: as dark as the mean of what the sampler averages."""
    visible = torch.zeros(1, 3, 32, 32)
    for row in range(32):
        visible[..., row, : 5 + row // 2] = 1
    base, f = torch.full((1, 3, 32, 32), skin), 4

    def encoded(base, visible):
        ambient = camera.inverse(torch.full_like(base, 0.15))
        dark = compositing.composite(base, ambient, visible)
        return compositing.encode(camera.apply(dark, base))

    exact = area_mean(encoded(base, visible), f)
    ours = encoded(area_mean(base, f), compositing.reduced_visibility(visible, f, camera))
    naive = encoded(area_mean(base, f), area_mean(visible, f))
    assert float((ours - exact).abs().max()) < 0.01
    assert float((naive - exact).abs().max()) > otherwise
    assert torch.equal(compositing.reduced_visibility(visible, 1, camera), visible)


def test_contrast_is_of_the_luminance_that_a_shadow_leaves(rng):
    base = rng.uniform(0.2, 0.9, (3, 3, 8, 8)).astype(np.float32)
    darkened = base * rng.uniform(0.1, 1.0, (3, 1, 8, 8)).astype(np.float32)
    curve = np.array([1.0, 1.3, 1.7], np.float32).reshape(3, 1, 1, 1)
    camera = compositing.Camera(torch.from_numpy(curve))
    ours = camera.apply(torch.from_numpy(darkened), torch.from_numpy(base)).numpy()
    weights = np.array([0.2126, 0.7152, 0.0722]).reshape(1, 3, 1, 1)
    y, y_base, y_ours = ((p * weights).sum(1, keepdims=True) for p in (darkened, base, ours))
    assert np.allclose(y_ours / y_base, (y / y_base) ** curve, rtol=5e-3)
    assert np.allclose(ours / y_ours, darkened / y, rtol=1e-4)  # hue and saturation stay
    assert np.allclose(ours[0], darkened[0], rtol=1e-6)


def test_contrast_with_a_toe_is_a_camera_that_meets_less_light(rng):
    """The camera's curve read backwards from the base, and forwards from what light is left."""
    curve, toe = 1.4, 0.05
    light = np.linspace(1e-6, 4.0, 400_001)
    shown = light ** (2 * curve) / (light**curve + toe)
    base = rng.uniform(0.1, 0.9, (1, 1, 8, 8)).repeat(3, axis=1)
    left = rng.uniform(0.1, 1.0, base.shape[2:])
    expected = np.interp(left * np.interp(base[0, 0], shown, light), light, shown)
    pair = torch.from_numpy(base * left), torch.from_numpy(base)
    ours = compositing.Camera(curve, toe).apply(*pair)[0].numpy()
    assert np.allclose(ours, expected, rtol=1e-2)


@pytest.mark.parametrize("toe", [0.0, 0.03, 0.06])
def test_light_met_is_shown_as_it_was_wanted(toe):
    seen, camera = (
        torch.tensor([0.07, 0.15, 0.3, 1.0]).view(4, 1, 1, 1),
        compositing.Camera(1.5, toe),
    )
    assert torch.allclose(camera.response(camera.inverse(seen)), seen, rtol=1e-4)
    skin = torch.full((4, 3, 1, 1), compositing.SKIN)
    shown = camera.apply(camera.inverse(seen) * skin, skin) / skin
    assert torch.allclose(shown, seen.expand_as(shown), rtol=1e-2)


def test_a_shadow_takes_nothing_of_what_is_mirrored_of_the_surroundings():
    """Things of any colour D under light of which the share A stays: D A + m E in the shadow."""
    diffuse = torch.linspace(0, 0.5, SIZE).expand(1, 3, SIZE, SIZE)
    around, share = torch.full((1, 1, SIZE, SIZE), 0.15), torch.full((1, 1, 1, 1), 0.06)
    base, ambient = diffuse + share * around, torch.full_like(diffuse, 0.2)
    for visible in (0 * diffuse, torch.full_like(diffuse, 0.4), 1 + 0 * diffuse):
        dark = compositing.composite(base, ambient, visible)
        dark = dark + compositing.mirrored_light(share, around, ambient, visible)
        kept = 0.2 + 0.8 * visible
        assert torch.allclose(dark, diffuse * kept + share * around, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.08])
def test_lit_skin_keeps_its_depth_whatever_it_mirrors(share):
    """Black things beside it are left lighter than the share that was drawn."""
    skin = torch.full((1, 3, 2, 2), compositing.LIT_SKIN)
    drawn = torch.tensor([0.17, 0.2, 0.28]).view(1, 3, 1, 1).expand_as(skin)
    around, m = torch.full((1, 1, 2, 2), 0.2), torch.full((1, 1, 1, 1), share)
    ambient = compositing.beside_mirrored(drawn, m, around)

    def kept(base):
        dark = compositing.composite(base, ambient, torch.zeros_like(base))
        dark = dark + compositing.mirrored_light(m, around, ambient, torch.zeros_like(base))
        return dark / base

    assert torch.allclose(kept(skin), drawn, atol=1e-6)
    assert ((kept(skin / 10) > drawn + 0.03) == (share > 0)).all()
    assert not compositing.beside_mirrored(0 * drawn, m, around).any()


def test_a_shadow_takes_highlights_that_are_the_keys_alone():
    """Skin of one colour with a spot that mirrors: its light is D + S lit and A D in the shadow."""
    skin, mm = torch.ones(1, 1, SIZE, SIZE), torch.full((1, 1, 1, 1), 1.0)
    diffuse, base = 0.3, torch.full((1, 3, SIZE, SIZE), 0.3)
    base[..., SIZE // 2, SIZE // 2] += 0.1
    ambient, none = torch.full_like(base, 0.2), torch.zeros_like(base)
    mirrored = compositing.highlights(base, skin, mm)
    dark = compositing.composite(base, ambient * (1 - mirrored), none)
    assert torch.allclose(dark, torch.full_like(dark, 0.2 * diffuse), rtol=1e-2)
    assert torch.equal(compositing.composite(base, ambient * (1 - mirrored), 1 + none), base)
    assert not compositing.highlights(base, 0 * skin, mm).any()


@pytest.mark.parametrize("toe", [0.0, 0.05])
def test_behind_a_curve_shade_and_shadow_are_equally_dark(toe):
    """Where the key does not reach and where it is blocked, relit or in a picture's own light."""
    nominal, curve = 0.15, torch.tensor([1.0, 1.35, 1.7]).view(3, 1, 1, 1)
    camera = compositing.Camera(curve, toe)
    one, plane = torch.ones(3, 1, 1, 1), torch.ones(3, 1, SIZE, SIZE)
    ambient = camera.inverse(nominal * one).expand(3, 3, SIZE, SIZE)
    shade, base = plane.clone(), torch.full((3, 3, SIZE, SIZE), compositing.SKIN)
    shade[..., SIZE // 2 :] = 0
    maps = compositing.Maps(plane, plane, shade, 0 * plane, 0 * plane, 0 * plane, plane, one)
    off = (0 * one,) * 4  # no gloss, relief, sheen; the old background
    usual = (
        1 + camera.inverse(nominal * one) ** curve
    ) / 2  # exposure: the lit half is as bright as before
    looks = compositing.Looks(one, 0 * one, usual, one, one, *off[:3], one, off[3], base)
    lit, stays = compositing.relight(base, maps, ambient, looks, camera=camera)
    blocked = compositing.composite(lit, stays, 0 * plane)
    blocked = camera.apply(blocked, lit)
    bright = lit[..., 0:1, 0:1]
    assert torch.allclose(lit[..., -1:] / bright, torch.tensor(nominal), rtol=5e-3)  # attached
    assert torch.allclose(blocked / bright, torch.tensor(nominal), rtol=5e-3)  # cast, over both
    own = compositing.own_share(ambient, camera.inverse(0.4 * plane))
    side = 0.4 * base  # of a face that stands in light from one side
    kept = camera.apply(compositing.composite(side, own, 0 * plane), side)
    assert torch.allclose(kept, nominal * base, rtol=5e-3)


def test_light_bends_by_a_power_of_each_channel(rng):
    visible = rng.random((4, 3, 8, 8), dtype=np.float32)
    power = rng.uniform(0.5, 2, (4, 3, 1, 1)).astype(np.float32)
    ours = compositing.bent(torch.from_numpy(visible), torch.from_numpy(power)).numpy()
    assert np.allclose(ours, np.exp(power * np.log(visible)), atol=1e-6)
