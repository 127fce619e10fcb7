"""Head pose, in degrees, from the landmarks' own 3D."""

from __future__ import annotations

import numpy as np

from dataset_tools.landmarks import CHIN, FOREHEAD, LEFT_CHEEK, RIGHT_CHEEK


def yaw(points: np.ndarray) -> float:
    """Turn about the vertical, from the line between the cheeks; 0 = to the camera, + = the cheek
    on the picture's right is nearer, whichever that is: frames are mirrored."""
    across = points[LEFT_CHEEK] - points[RIGHT_CHEEK]
    nearer = across[2] * np.copysign(1, across[0])
    return float(np.degrees(np.arctan2(nearer, abs(across[0]))))


def pitch(points: np.ndarray) -> float:
    """Nod, from the line chin to forehead; + = the forehead is nearer (looking down)."""
    up = points[FOREHEAD] - points[CHIN]
    return float(np.degrees(np.arctan2(up[2], np.hypot(up[0], up[1]))))


def roll(points: np.ndarray) -> float:
    """Tilt in the picture plane; + = clockwise."""
    across = points[LEFT_CHEEK] - points[RIGHT_CHEEK]
    return float(np.degrees(np.arctan2(across[1], abs(across[0]))))
