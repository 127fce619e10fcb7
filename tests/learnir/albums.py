"""Pictures written for tests."""

import io

from PIL import Image


def save(path, picture, **options):
    """The picture as a file of the format that its name says, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path


def encoded(image, format, **options):
    """The bytes of a PIL image as a file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
