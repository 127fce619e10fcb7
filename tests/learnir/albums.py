"""Pictures written for tests."""

from PIL import Image


def save(path, picture, **options):
    """The picture as a file of the format that its name says, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path
