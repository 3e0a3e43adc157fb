"""Fixtures of the tests on real clusters."""
import os
import shutil
import signal
import sys

import pytest

import harness

sys.set_int_max_str_digits(0)


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: loads all processors and says how long things may take, so it runs beside no "
                                       "other test")


LONGEST = 900 if os.environ.get("CONCLAVE_LIMITS") else 120  # seconds; make limits


@pytest.fixture(autouse=True)
def alarm():
    """No test hangs for ever."""
    def ring(*_):
        raise AssertionError("the test took longer than any test may")
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(int(harness.seconds(LONGEST)))
    yield
    signal.alarm(0)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, request):
    """Six healthy nodes and a broker, shared by the tests of a file that do not break them; CLUSTER in the file has options
    for all of its clusters."""
    directory, failed = tmp_path_factory.mktemp("shared"), request.session.testsfailed
    yield from harness.healthy(directory, **getattr(request.module, "CLUSTER", {}))
    if request.session.testsfailed == failed:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def make_cluster(tmp_path, request):
    """Makes clusters for one test alone, not started yet."""
    made = []

    def make(**options):
        options = getattr(request.module, "CLUSTER", {}) | options
        made.append(harness.Cluster(tmp_path / f"cluster{len(made)}", **options))
        return made[-1]
    make.made = made
    try:
        yield make
        for it in made:
            it.check()
    finally:
        for it in made:
            it.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """The ends of the logs go with a failure. What a test has left goes when it has passed: all together have some 20 GB."""
    outcome = yield
    report = outcome.get_result()
    item.has_failed = getattr(item, "has_failed", False) or report.failed
    if report.when == "teardown" and not item.has_failed and "tmp_path" in item.funcargs:
        shutil.rmtree(item.funcargs["tmp_path"], ignore_errors=True)
    if report.failed:
        made = getattr(item.funcargs.get("make_cluster"), "made", [])
        for it in [*item.funcargs.values(), *made]:
            if isinstance(it, harness.Cluster):
                report.sections.append(("logs", it.logs()))
