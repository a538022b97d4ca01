import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings


def pytest_addoption(parser):
    parser.addoption("--regenerate-baselines", action="store_true", help="write the reference pictures anew")


settings.register_profile(
    "volrender",
    derandomize=True,
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("volrender")


@pytest.fixture(scope="session")
def samples():
    """The folder of further sample volumes; not shipped."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "samples"
    if not folder.is_dir():
        pytest.skip("the further samples, ../shared/data/samples, are not on this machine")
    return folder


@pytest.fixture
def interrupts():
    """Interrupts are heard, as they are not in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["raycast", "pyvista"])
def either(request):
    """Scenes are drawn by the one engine and by the other."""
    if request.param == "pyvista":
        request.getfixturevalue("gl")
    else:
        request.getfixturevalue("monkeypatch").setenv("VOLRENDER_ENGINE", "raycast")
    return request.param


@pytest.fixture
def gl(monkeypatch):
    """Scenes are drawn by pyvista; the tests that need it are skipped on a machine where no OpenGL draws."""
    from volrender.draw.opengl import window

    if window() is None:
        pytest.skip("no OpenGL draws off screen on this machine")
    monkeypatch.setenv("VOLRENDER_ENGINE", "pyvista")
