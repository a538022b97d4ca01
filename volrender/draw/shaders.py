"""What is added to the shader of VTK's ray caster: clips that are exact at every sample, and light.

VTK's own light on volumes leaves the ambient part out, and shines through: what faces away from a lamp is as bright as
what faces it. Here the side that is seen is lit by the scene's lamps, as a surface is. A shader's position runs 0 to 1
over the texture, whose cells are the voxels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkShaderProperty, vtkVolume

from volrender.layers import Intensity, takes_both_signs
from volrender.space import Clip, View

SAMPLE = 0.5  # voxels between samples along a ray
TURNED = 0.2  # the cosine beyond which a side that looks away from the viewer is one seen from behind

ONWARD = "vec3(0.0, 0.0, 1.0)"  # in parallel projection, toward the viewer
ALONE = {
    "position": "g_dataPos",
    "step": "in_cellStep[0]",
    "matrix": "in_inverseVolumeMatrix[0]",
    "material": "vec4(in_ambient[0].x, in_diffuse[0].x, in_specular[0].x, in_shininess[0])",
}
TOGETHER = {"position": "texPos", "step": "in_cellStep[volIdx]", "matrix": "in_inverseVolumeMatrix[volIdx + 1]"}
LIGHT = f"""
  // Beyond the last voxel there is nothing to take a difference with: the end of the scan is flat.
  vec3 rim = 0.5 * @step;
  vec3 end = vec3(lessThan(@position, rim)) - vec3(greaterThan(@position, 1.0 - rim));
  vec3 inward = end == vec3(0.0) ? shading_gradient.xyz : end;
  inward = (in_modelViewMatrix * vec4((transpose(@matrix) * vec4(inward, 0.0)).xyz, 0.0)).xyz;
  inward = dot(inward, inward) > 0.0 ? normalize(inward) : inward;
  float turned = dot(inward, @viewer) > {TURNED} ? -1.0 : 1.0;
  vec4 material = @material;
  vec3 scattered = vec3(0.0);
  vec3 gloss = vec3(0.0);
  for (int n = 0; n < TOTAL_NUMBER_LIGHTS; n++)
  {{
    float lit = turned * dot(inward, in_lightDirection[n]);
    if (lit > 0.0)
    {{
      scattered += lit * in_lightDiffuseColor[n];
      vec3 mirrored = in_lightDirection[n] - 2.0 * lit * turned * inward;
      gloss += pow(max(dot(mirrored, @viewer), 0.0), material.w) * in_lightSpecularColor[n];
    }}
  }}
  finalColor.rgb = (material.x + material.y * scattered) * color.rgb + material.z * gloss;
"""


# What VTK's projections say, and what they are to say instead; scalars run from 0 to 1 over the data's range. Its means
# are gray, and weighed by their opacity.
COUNTED, FARTHEST = "l_avgValue.x += computeOpacity(scalar) * scalar.x;", "l_maxValue.w < scalar.x || l_firstValue"
ZERO = "(-in_scalarsRange[0][0] / (in_scalarsRange[0][1] - in_scalarsRange[0][0]))"
PROJECTION = {
    COUNTED: "l_avgValue.x += scalar.x;",
    "g_fragColor = vec4(vec3(l_avgValue.x), 1.0);": (
        "g_srcColor = computeColor(vec4(l_avgValue.x), computeOpacity(vec4(l_avgValue.x)));\n"
        "    g_fragColor = vec4(g_srcColor.rgb * g_srcColor.a, g_srcColor.a);"
    ),
}
BOTH_SIGNS = PROJECTION | {
    COUNTED: (
        "uint seen = computeOpacity(scalar) > 0.0 ? 1u : 0u;\n"
        "        l_avgValue.x += float(seen) * scalar.x;\n"
        "        l_numSamples.x -= 1u - seen;"
    ),
    FARTHEST: f"computeOpacity(scalar) > 0.0 && abs(scalar.x - {ZERO}) > abs(l_maxValue.w - {ZERO})",
    "l_maxValue = vec4(0.0);": f"l_maxValue = vec4({ZERO});",
}
TO_SURFACE = "  g_terminatePointMax -= 1.0;\n"
FROM_PEEL = """
  if (dot(g_dataPos - g_dirStep - startPoint.xyz, g_dirStep) >= 0.0)
  {
    g_dataPos -= g_dirStep;
    g_terminatePointMax += 1.0;
  }
"""


def clip_and_light(actor: vtkVolume, layer: Intensity, view: View) -> None:
    """Cut a volume by its clips and, where it is shaded, light it."""
    shader = actor.GetShaderProperty()
    if layer.clip:
        tests = " || ".join(_removed(layer, clip, view) for clip in layer.clip)
        code = f"//VTK::Cropping::Impl\n    if ({tests}) {{ g_skip = true; }}\n"
        shader.AddFragmentShaderReplacement("//VTK::Cropping::Impl", True, code, False)
    if actor.GetProperty().GetShade():
        _light_by(shader, ALONE | {"viewer": "viewDirection" if view.camera.perspective else ONWARD})


def project(actor: vtkVolume, layer: Intensity) -> None:
    """Let a mean have colors and opacity, and a signed map show the value farthest from 0 of those that are seen."""
    for code, instead in (BOTH_SIGNS if takes_both_signs(layer) else PROJECTION).items():
        actor.GetShaderProperty().AddFragmentShaderReplacement(code, False, instead, True)


def light_together(actor: vtkVolume, materials: Sequence[Mapping[str, float]]) -> None:
    """Light volumes that are sampled together, each by its own material; VTK leaves them without shades."""
    rows = [f"vec4({m['ambient']}, {m['diffuse']}, {m['specular']}, {m['power']})" for m in materials]
    chosen = " : ".join([*(f"volIdx == {n} ? {row}" for n, row in enumerate(rows[:-1])), rows[-1]])
    _light_by(actor.GetShaderProperty(), TOGETHER | {"material": chosen, "viewer": ONWARD})


def end_at_surfaces(actor: vtkVolume, *, peeled: bool) -> None:
    """Let the rays of a translucent volume begin and end at surfaces.

    VTK takes a sample past each, and between translucent ones, where it goes from peel to peel, it jitters each start
    and then leaves out a sample.
    """
    actor.GetShaderProperty().AddFragmentShaderReplacement(
        "//VTK::Shading::Init", True, (FROM_PEEL if peeled else "") + TO_SURFACE + "//VTK::Shading::Init\n", False
    )


def _removed(layer: Intensity, clip: Clip, view: View) -> str:
    """Whether the clip removes the sample, in the shader's language."""
    source = layer.field.canonical
    to_world = source.affine @ np.diag([*source.shape, 1.0])
    to_world[:3, 3] = (source.affine @ [-0.5, -0.5, -0.5, 1.0])[:3]
    sides = []
    for row in clip.halfspaces:
        a, b, c = (row[:3] @ to_world[:3, :3]).tolist()
        d = float(row[:3] @ to_world[:3, 3] - row[3]) + _behind(row[:3], min(source.spacing), view)
        sides.append(f"dot(vec3({a:.9e}, {b:.9e}, {c:.9e}), g_dataPos) + ({d:.9e}) > 0.0")
    return "(" + " && ".join(sides) + ")"


def _behind(normal: NDArray[np.float64], finest: float, view: View) -> float:
    """How far (mm) a volume stays behind its opaque cut face, for the side that `normal` points to removed.

    A ray may take one sample past the face that ends it, a start that jitters another, and it knows the face's depth
    to a pixel. A face that looks away from the viewer ends no ray.
    """
    facing = float(normal @ view.camera.toward)
    if facing <= 0:
        return 0.0
    return 2 * SAMPLE * finest * facing + view.mm_per_pixel * float(np.sqrt(max(0.0, 1 - facing**2)))


def _light_by(shader: vtkShaderProperty, names: Mapping[str, str]) -> None:
    """Phong's shading by all lamps, of the side that is seen; `names` are what the shader calls things.

    Normals go to the world by the inverse of the volume's matrix, transposed; VTK's own are right in a cube alone.
    """
    code = LIGHT
    for name, value in names.items():
        code = code.replace(f"@{name}", value)
    shader.AddFragmentShaderReplacement("//VTK::ComputeLighting::Exit", False, code, False)
