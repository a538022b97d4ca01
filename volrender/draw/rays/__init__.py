"""The ray caster's parts: what rays meet, and compiled loops along them. No OpenGL, no VTK."""
