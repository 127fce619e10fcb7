"""Training: paired data, presets, the loop. ``learnir train`` is the way in."""
