"""RTL tests: the progress line goes past pytest's capture, so that a long run shows what it is
doing.
"""

import pytest
from weft_sim.bench import progress


@pytest.fixture(autouse=True, scope="session")
def _progress_line(request):
    capture = request.config.pluginmanager.getplugin("capturemanager")
    started = False

    def show(line: str) -> None:
        nonlocal started
        with capture.global_and_fixture_disabled():
            if not started:
                print(flush=True)
                started = True
            print(f"  {line}", flush=True)

    progress.set_sink(show)
    yield
    progress.set_sink(None)


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/rtl/" in item.path.as_posix():
            item.add_marker(pytest.mark.rtl)
