"""Shape and look of a motor: section, parts, pose, keyframes, plots. NumPy only; Matplotlib where a plot is drawn."""
