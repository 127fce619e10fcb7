"""The look: text can be read, by day and by night."""

from __future__ import annotations

import pytest

from demo.theme import theme

READ = [
    ("body_text_color", "body_background_fill"),
    ("body_text_color_subdued", "body_background_fill"),
    ("block_title_text_color", "block_background_fill"),
    ("block_info_text_color", "block_background_fill"),
    ("input_placeholder_color", "input_background_fill"),
    ("button_primary_text_color", "button_primary_background_fill"),
    ("link_text_color", "body_background_fill"),
]


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of #rrggbb."""
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(text: str, ground: str) -> float:
    """WCAG 2's, of two of the theme's colours."""
    look = theme()

    def value(name: str) -> str:
        given = getattr(look, name)
        return value(given[1:]) if given.startswith("*") else given.replace("white", "#ffffff")

    dark, light = sorted((luminance(value(text)), luminance(value(ground))))
    return (light + 0.05) / (dark + 0.05)


SEEN = [("input_border_color_focus", "block_background_fill")]


@pytest.mark.parametrize("mode", ["", "_dark"])
@pytest.mark.parametrize(("edge", "ground"), SEEN)
def test_where_one_types_is_seen(edge, ground, mode):
    assert contrast(edge + mode, ground + mode) >= 3


@pytest.mark.parametrize("mode", ["", "_dark"])
@pytest.mark.parametrize(("text", "ground"), READ)
def test_text_stands_out_from_its_ground(text, ground, mode):
    assert contrast(text + mode, ground + mode) >= 4.5
