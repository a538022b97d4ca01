"""Cut faces as flat meshes in world millimetres."""

from __future__ import annotations

import numpy as np
import pyvista as pv

from volrender.draw.faces import Face


def face_mesh(face: Face) -> pv.PolyData:
    """A flat mesh where a face covers anything; colors are its "rgb"."""
    if face.covered.max() < 0.5:
        return pv.PolyData()
    flat = pv.StructuredGrid(*(np.ascontiguousarray(face.grid[:, :, None, axis]) for axis in range(3)))
    flat.point_data["covered"] = face.covered.ravel(order="F")
    clear = (face.picture[..., 3][face.covered >= 0.5] < 0.999).any()
    colors = np.rint(face.picture[..., : 4 if clear else 3] * 255).astype(np.uint8)
    flat.point_data["rgb"] = np.stack([c.ravel(order="F") for c in np.moveaxis(colors, -1, 0)], axis=-1)
    return flat.extract_surface(algorithm="dataset_surface").clip_scalar(scalars="covered", value=0.5, invert=False)
