"""The dashboard of `conclave web` in a browser: what it shows, how soon, and that it asks nobody else for anything.

With CONCLAVE_SCREENSHOTS=DIR it leaves the pictures of docs/images there.
"""
import os
import pathlib
import subprocess
import time

import pytest

import crowd_double
import harness
from browser import CHROMIUM, Browser
from harness import memory, seconds, wait_for
from web import DELEGATES_MAX, Stream, Web, read_metrics

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no browser: Debian's package chromium is not installed")

# Ten a second, less what a busy machine takes; the first frame after 80 ms.
UPDATES_A_SECOND, DRAWS_A_SECOND_MAX = 8, 12.5


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


@pytest.mark.alone
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
    job = browser.wait("[...document.querySelectorAll('#jobs tbody tr')].find(row => row.innerText.includes('9000000!'))?.dataset.key")
    browser.value(f"document.querySelector('#jobs tr[data-key=\"{job}\"] a').focus()")
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


def test_tasks_and_what_they_wrote_are_on_the_page_of_their_job(cluster, browser):
    cluster.wait_healthy()
    web = Web(cluster)
    opened(browser, web)
    cluster.conclave("map", "--sh", "echo out {}; echo err {} >&2; test {} != b", ":::", "a", "b", "c")
    job = cluster.json("job", "list")[-1]["id"]
    browser.wait(f"document.querySelector('#jobs tr[data-key=\"{job}\"]')?.innerText.includes('1 failed')")
    browser.value(f"location.hash = 'job={job}'")
    browser.wait("document.querySelectorAll('#tasks tbody tr').length == 3")
    assert "1 failed" in shown(browser, "job-tasks-sum") and shown(browser, "job-title") == "map, 3 tasks"
    rows = browser.value("[...document.querySelectorAll('#tasks tbody tr')].map(row => row.innerText.split('\\t').slice(0, 3).join(' '))")
    assert rows == ["2 failed b", "1 done a", "3 done c"], "what went wrong comes first"
    browser.value("document.querySelector('#tasks tbody button').focus()")
    press(browser, "Enter")
    browser.wait("document.activeElement.id == 'task-output-title'")
    assert shown(browser, "task-output-title") == "Task 2"
    assert shown(browser, "task-stdout").strip() == "out b" and shown(browser, "task-stderr").strip() == "err b"


def test_a_job_that_ends_out_of_sight_is_seen_to_have_ended(cluster, browser):
    """Rows below the screen are brought up to date more seldom, but they are: the last change of all is in nobody's way."""
    cluster.wait_healthy()
    web = Web(cluster)
    browser.look(1100, 120)
    opened(browser, web)
    mapped = cluster.start_conclave("map", "--sh", "sleep 0.6; test {} != b", ":::", "a", "b")
    row = "[...document.querySelectorAll('#jobs tbody tr')].find(row => row.innerText.includes('map, 2 tasks'))"
    browser.wait(f"{row}?.innerText.includes('running')")
    browser.wait(f"{row}.innerText.includes('1 failed')")
    mapped.wait(seconds(10))


def test_a_page_that_got_no_answer_asks_again(cluster, browser):
    """All who make such answers are busy; of a job that has ended nothing comes that would make the page ask: it does so itself."""
    cluster.wait_healthy()
    web = Web(cluster)
    cluster.ok("map", "--max-output", "9MiB", "--dir", cluster.dir / "held", "--sh", "seq 1 1100000; exit 0 {}", ":::", "a")
    job = cluster.json("job", "list")[-1]["id"]
    opened(browser, web)
    held = [web.hold(f"/api/jobs/{job}/output") for _ in range(DELEGATES_MAX)]
    wait_for(lambda: web.ask("GET", f"/api/jobs/{job}/tasks")[0] == 503)
    browser.value(f"location.hash = 'job={job}'")
    browser.wait("document.getElementById('job-fault').innerText.includes('already')")
    for connection in held:
        connection.close()
    browser.wait("document.querySelectorAll('#tasks tbody tr').length == 1 && !document.getElementById('job-fault').innerText", 40)


def test_without_a_token_it_only_shows(cluster, browser):
    cluster.wait_healthy()
    web = Web(cluster)
    opened(browser, web, token=False)
    assert browser.value("document.getElementById('submit-form').hidden") and shown(browser, "unlock") == "Enter token"
    assert browser.value("document.querySelectorAll('#nodes tbody tr').length") == cluster.n_nodes


class Crowd:
    """The double of a large cluster, for what starts `conclave web` on a cluster."""

    def __init__(self, directory):
        self.dir, self.ports = directory, harness.Ports(1, 1)
        self.double = crowd_double.Double(self.ports.base)
        self.double.start()
        self.processes = []

    def start_conclave(self, *words):
        environment = harness.clean_environment(CONCLAVE_INSECURE="1", CONCLAVE_BROKER=f"tcp://127.0.0.1:{self.ports.base}")
        self.processes.append(subprocess.Popen([str(harness.BIN / "conclave"), *map(str, words)], env=environment,
                                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        return self.processes[-1]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.double.close()
        self.ports.release()


@pytest.fixture(name="crowd")
def a_crowd(tmp_path):
    crowd = Crowd(tmp_path)
    yield crowd
    crowd.close()


# What a person can see: how often it changes in a second, and how evenly frames come meanwhile.
WATCH = """new Promise(done => {
  const job = document.querySelector('#jobs tbody tr'), node = document.querySelector('#nodes tbody tr');
  const shown = {node: () => node.innerText, job: () => job.querySelector('progress').value,
                 event: () => document.querySelector('#events li').innerText, rate: () => document.getElementById('f-rate').innerText};
  const before = {}, seen = {}, gaps = [], draws = Number(document.documentElement.dataset.draws), began = performance.now();
  let last = began;
  for (const name in shown) seen[name] = 0;
  const frame = now => {
    for (const [name, text] of Object.entries(shown)) {
      const value = text();
      if (value !== before[name]) { before[name] = value; seen[name]++; }
    }
    gaps.push(now - last);
    last = now;
    const seconds = (performance.now() - began) / 1000;
    if (seconds < 5) return requestAnimationFrame(frame);
    gaps.sort((a, b) => a - b);
    for (const name in seen) seen[name] /= seconds;
    done({seen, draws: (Number(document.documentElement.dataset.draws) - draws) / seconds, late: gaps[Math.floor(0.9 * gaps.length)],
          frames: gaps.length / seconds, elements: document.querySelectorAll('*').length, jobs: state.jobs.size,
          rows: document.querySelectorAll('#jobs tbody tr').length, events: state.events.length, samples: state.samples.length});
  };
  requestAnimationFrame(frame);
})"""


@pytest.mark.alone
@pytest.mark.parametrize("rows", [50, 1000])
def test_a_thousand_jobs_and_a_hundred_nodes_are_fluent(crowd, browser, rows):
    """All heartbeats of 100 nodes, 1,000 jobs that go on, ten events a second, and in the second case a row for each job: ten times
    a second what is seen changes, in little memory, here and there."""
    web = Web(crowd)
    browser.call("Page.navigate", url=f"http://127.0.0.1:{web.port}/#token={web.token}")
    browser.wait("document.querySelectorAll('#nodes tbody tr').length == 100 && document.querySelectorAll('#events li').length > 20")
    while browser.value("document.querySelectorAll('#jobs tbody tr').length") < rows:
        browser.value("document.getElementById('jobs-more').click()")
    browser.value("document.querySelector('#nodes').scrollIntoView()")
    browser.wait("state.jobs.size == 1000")
    got = browser.value(WATCH)
    got["heap"], got["web"] = browser.heap(), memory(web.process, "VmHWM")
    assert all(got["seen"][name] >= UPDATES_A_SECOND for name in ["node", "event"]), got
    assert got["seen"]["job"] >= (UPDATES_A_SECOND if rows < 100 else UPDATES_A_SECOND / 2), got
    assert got["draws"] <= DRAWS_A_SECOND_MAX and got["late"] < 100, got
    assert got["heap"] < 50 << 20 and got["web"] < 50 << 20, got
    assert got["rows"] == rows and got["jobs"] == 1000 and got["events"] <= 400 and got["samples"] <= 300, got
    assert got["elements"] < 4000 + 11 * rows, got
    # Of a cluster as large the next coordinator is seen as soon.
    elected = time.monotonic()
    crowd.double.elect(7)
    browser.wait("document.getElementById('coordinator').dataset.node == '7'")
    assert time.monotonic() - elected < seconds(1)


def test_what_nobody_read_is_not_shown_later(cluster, browser):
    """The first figure of a page is of now: what was made for the last reader is not a past from which throughput is computed."""
    cluster.wait_healthy()
    web = Web(cluster)
    early = Stream(web)
    first = early.wait(lambda kind, data, _: kind == "status" and data["coordinator"])[1]
    early.close()
    wait_for(lambda: read_metrics(web.ask("GET", "/metrics")[1].decode())["conclave_web_event_streams", ()] == 0)
    cluster.submit(3000)
    later = Stream(web)
    status = later.wait(lambda kind, data, _: kind == "status")[1]
    assert status["operations"] >= first["operations"] + 1001, "of 3000!"
    later.close()


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
