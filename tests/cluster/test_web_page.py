"""The dashboard of `conclave web` in a browser: what it shows, how soon, and that it asks nobody else for anything.

With CONCLAVE_SCREENSHOTS=DIR it leaves the pictures of docs/images there.
"""
import os
import pathlib
import time

import pytest

import harness
from browser import CHROMIUM, Browser
from harness import seconds, wait_for
from web import Web

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no browser: Debian's package chromium is not installed")

DRAWS_A_SECOND_MAX = 10


@pytest.fixture(name="browser")
def a_browser():
    browser = Browser(harness.clean_environment())
    browser.look(1100, 900)
    yield browser
    faults = browser.faults
    browser.close()
    assert not faults


def opened(browser, web, token=True):
    browser.call("Page.navigate", url=f"http://127.0.0.1:{web.port}/" + (f"#token={web.token}" if token else ""))
    browser.wait("document.readyState == 'complete' && document.getElementById('coordinator')?.dataset.node > 0")


def shown(browser, id):
    return browser.value(f"document.getElementById('{id}').innerText")


def test_it_shows_the_next_coordinator_within_a_second(make_cluster, browser):
    cluster = make_cluster(nodes=5).start()
    cluster.wait_healthy()
    web = Web(cluster)
    opened(browser, web)
    status = cluster.wait_served()
    assert browser.value("document.getElementById('coordinator').dataset.node") == str(status["coordinator"])
    killed = time.monotonic()
    cluster.kill_coordinator(status)
    browser.wait(f"document.getElementById('coordinator').dataset.term > {status['term']}")
    assert time.monotonic() - killed < seconds(1)
    assert int(browser.value("document.getElementById('coordinator').dataset.node")) != status["coordinator"]
    browser.wait("document.getElementById('events').innerText.includes('is coordinator of term')")
    browser.wait(f"document.getElementById('health').innerText.includes('node {status['coordinator']}')")
    pictures(browser, cluster, web)


def pictures(browser, cluster, web):
    directory = os.environ.get("CONCLAVE_SCREENSHOTS")
    if not directory:
        return
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    dead = next(n for n, process in cluster.nodes.items() if process.poll() is not None)
    cluster.start_node(dead)
    cluster.wait_healthy()
    cluster.wait_met()
    cluster.ok("snapshot", "take")
    for n in range(1, 25):
        cluster.ok("submit", "factorial", 4000 * n, "--no-wait")
        time.sleep(0.3)  # for a picture, not for a test
    web.post("/api/jobs", {"kind": "factorial", "spec": "4000000"})
    web.post("/api/jobs", {"kind": "factorial", "spec": "1500000"})
    time.sleep(3)
    for name, size, dark in [("web-light", (1000, 1440), False), ("web-dark", (1000, 820), True), ("web-phone", (390, 800), False)]:
        browser.look(*size, dark)
        time.sleep(1.2)
        browser.screenshot(directory / f"{name}.png")
    small = cluster.submit(50)["id"]
    browser.look(1000, 1240)
    browser.value(f"location.hash = 'job={small}'")
    browser.wait("document.querySelector('#job-tree svg') !== null")
    browser.screenshot(directory / "web-job.png")


def test_it_asks_nobody_else(cluster, browser):
    """Every request of the page goes to the process that served it; its policy forbids others, and code in the page."""
    cluster.wait_healthy()
    web = Web(cluster)
    opened(browser, web)
    job = cluster.submit(50)["id"]
    browser.wait(f"[...document.querySelectorAll('#jobs tbody tr')].some(row => row.dataset.key == '{job}')")
    browser.value(f"location.hash = 'job={job}'")
    browser.wait("document.querySelectorAll('#job-tree rect').length == 17")
    asked = set(browser.requests)
    assert len(asked) > 4 and all(url.startswith(f"http://127.0.0.1:{web.port}/") for url in asked), asked
    assert not any(web.token in url for url in asked), "a fragment is sent to nobody"
    # The policy is in force: neither another host nor a script in the page.
    assert browser.value("fetch('http://127.0.0.1:1/').then(() => 'sent', error => error.name)") == "TypeError"
    assert browser.value("""new Promise(done => {
        addEventListener('securitypolicyviolation', event => done(event.effectiveDirective), {once: true});
        const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script);
    })""") == "script-src-elem"
    assert browser.value("window.ran") is None
    browser.faults.clear()  # these two


def test_jobs_are_submitted_and_cancelled_by_keyboard(cluster, browser):
    cluster.wait_healthy()
    web = Web(cluster)
    opened(browser, web)
    assert browser.value("location.hash") == "", "the address bar does not keep the token"
    browser.value("document.getElementById('spec').focus()")
    browser.call("Input.insertText", text="9000000")
    press(browser, "Enter")
    job = browser.wait("document.querySelector('#jobs tbody tr')?.dataset.key")
    browser.value("document.querySelector('#jobs tbody tr a').focus()")
    press(browser, "Enter")
    browser.wait("!document.getElementById('job-cancel').hidden")
    assert shown(browser, "job-title") == "9000000!"
    browser.value("document.getElementById('job-cancel').focus()")
    press(browser, "Enter")
    browser.wait("document.getElementById('job-line').innerText.includes('cancelled')")
    assert cluster.json("job", "show", job)["state"] == "cancelled"
    # What is wrong is said beside the form.
    browser.value("location.hash = ''")
    browser.value("document.getElementById('spec').focus()")
    browser.call("Input.insertText", text="many")
    press(browser, "Enter")
    assert "many" in browser.wait("document.getElementById('submit-fault').innerText")


def press(browser, key):
    for kind in ["keyDown", "keyUp"]:
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=13, text="\r")


def test_without_a_token_it_only_shows(cluster, browser):
    cluster.wait_healthy()
    web = Web(cluster)
    opened(browser, web, token=False)
    assert browser.value("document.getElementById('submit-form').hidden") and shown(browser, "unlock") == "Enter token"
    assert browser.value("document.querySelectorAll('#nodes tbody tr').length") == cluster.n_nodes


LOAD = """(async () => {
  const nodes = [], beats = {};
  for (let id = 1; id <= 100; id++) {
    nodes.push({...state.status.nodes[0], id, role: 'worker'});
    beats[id] = {type: 'heartbeat', node: id, incarnation: '1', time: '', operations: 0, conversions: 0, queued: 1};
  }
  const before = Number(document.documentElement.dataset.draws), began = performance.now();
  let last = began, n = 0;
  const late = [];
  while (performance.now() - began < 4000) {
    n++;
    takeStatus({...state.status, nodes, operations: n * 1000});
    for (const id in beats) Object.assign(beats[id], {operations: n * id, time: new Date().toISOString()});
    takeBeats(structuredClone(beats));
    takeEvent({event: 'job_done', node: 1, incarnation: '1', seq: n, term: 1, time: new Date().toISOString(), text: 'done ' + n});
    for (let i = 0; i < 50; i++) {
      const id = '1-' + (n * 50 + i);
      state.jobs.set(id, {id, kind: 'factorial', spec: '10', state: 'running', submitted: new Date().toISOString(),
                          operations: {done: n, total: 1000, executed: n}});
    }
    state.jobs = new Map([...state.jobs].slice(-JOBS_MAX));
    state.jobsStale = false;
    drawSoon();
    await new Promise(done => setTimeout(done, 20));
    late.push(performance.now() - last - 20);
    last = performance.now();
  }
  late.sort((a, b) => a - b);
  return {draws: (Number(document.documentElement.dataset.draws) - before) / 4, late: late[Math.floor(0.9 * late.length)], elements: document.querySelectorAll('*').length,
          jobs: state.jobs.size, events: state.events.length, samples: state.samples.length};
})()"""


@pytest.mark.alone
def test_a_thousand_jobs_and_a_hundred_nodes_are_fluent(cluster, browser):
    """Fifty times a second everything changes: it is drawn ten times a second at most, and what is kept is bounded."""
    cluster.wait_healthy()
    opened(browser, Web(cluster))
    got = browser.value(LOAD)
    assert 1 <= got["draws"] <= DRAWS_A_SECOND_MAX, got
    assert got["late"] < 1000 * seconds(0.3), got  # nine of ten: a single turn may wait for a processor
    assert got["jobs"] <= 1000 and got["events"] <= 400 and got["samples"] <= 300 and got["elements"] < 6000, got


def test_it_comes_back_after_its_process(cluster, browser):
    cluster.wait_healthy()
    web = Web(cluster)
    opened(browser, web)
    web.process.terminate()
    web.process.wait(seconds(5))
    browser.wait("document.getElementById('live').dataset.state == 'lost'")
    again = cluster.start_conclave("web", "--http-port", web.port, "--token-file", cluster.dir / "web.token")
    browser.wait("document.getElementById('live').dataset.state == 'live'", 20)
    wait_for(lambda: again.poll() is None)
