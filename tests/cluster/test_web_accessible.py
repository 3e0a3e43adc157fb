"""The dashboard for people who use no mouse, hear it read, see little, or have a small screen: in a browser, by the rules of WCAG 2.2
(A and AA) that a program can check. axe-core checks more of them where it is there (tests/tools/axe.sh; CONCLAVE_AXE names it)."""
import os
import pathlib

import pytest

import harness
from browser import CHROMIUM, Browser
from web import Web

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no browser: Debian's package chromium is not installed")

AXE = os.environ.get("CONCLAVE_AXE")
DESKTOP, PHONE, NARROWEST = (1100, 900), (390, 800), (320, 640)  # the last one is that of WCAG 1.4.10


@pytest.fixture(name="browser", scope="module")
def a_browser():
    browser = Browser(harness.clean_environment())
    yield browser
    browser.close()


@pytest.fixture(name="pages", scope="module")
def all_pages(cluster, browser):
    """What the page can show, by name: a function that shows it."""
    cluster.wait_healthy()
    web = Web(cluster)
    small = cluster.submit(50)["id"]
    running = []
    cluster.conclave("map", "--sh", "echo out {}; echo err {} >&2; test {} != b", ":::", "a", "b", "c")
    mapped = cluster.json("job", "list")[-1]["id"]

    def opened(hash_, ready):
        browser.call("Page.navigate", url="about:blank")
        browser.call("Page.navigate", url=f"http://127.0.0.1:{web.port}/{hash_}")
        browser.wait(f"document.readyState == 'complete' && document.getElementById('coordinator')?.dataset.node > 0 && {ready}")

    def overview():
        opened(f"#token={web.token}", "document.querySelectorAll('#jobs tbody tr').length > 0")

    def job(number, ready):
        overview()
        browser.value(f"location.hash = 'job={number}'")
        browser.wait(ready)

    def locked():
        overview()
        browser.value("sessionStorage.clear()")
        opened("", "document.querySelectorAll('#jobs tbody tr').length > 0")
        browser.value("document.getElementById('unlock').click()")

    def refused():
        overview()
        browser.value("document.getElementById('spec').value = 'many'; document.querySelector('#submit-form button').click()")
        browser.wait("document.getElementById('submit-fault').innerText")

    def tasks(number):
        job(number, "document.querySelectorAll('#tasks tbody button').length == 3")
        browser.value("document.querySelector('#tasks tbody button').click()")
        browser.wait("document.getElementById('task-stderr').innerText")

    def long():
        for job_ in running:
            web.post(f"/api/jobs/{job_}/cancel")
        running[:] = [web.post("/api/jobs", {"kind": "factorial", "spec": "20000000"})[1]["id"]]
        job(running[0], "!document.getElementById('job-cancel').hidden && document.querySelector('#job-explain li') !== null")
    yield {"overview": overview, "locked": locked, "refused": refused,
            "job done": lambda: job(small, "document.querySelectorAll('#job-tree rect').length == 17"),
            "job running": long,
            "job of tasks": lambda: tasks(mapped)}
    for job_ in running:
        web.post(f"/api/jobs/{job_}/cancel")


@pytest.fixture(name="page", scope="module", params=["overview", "locked", "refused", "job done", "job running", "job of tasks"])
def a_page(request, browser, pages):
    """Shown once for all tests that look at it."""
    browser.look(*DESKTOP)
    pages[request.param]()
    return request.param


# --- names, headings, landmarks, as the browser tells them to programs that read ---

NAMED = {"button", "link", "textbox", "combobox", "progressbar", "image", "img", "region", "table", "form", "searchbox"}


def tree(browser):
    """The nodes that are read: (role, name, properties)."""
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    browser.call("Accessibility.disable")
    return [(node["role"]["value"], node.get("name", {}).get("value", "").strip(),
             {each["name"]: each["value"].get("value") for each in node.get("properties", [])})
            for node in nodes if not node.get("ignored")]


@pytest.mark.usefixtures("page")
def test_everything_has_a_name_and_a_place(browser):
    browser.look(*DESKTOP)
    nodes = tree(browser)
    nameless = [node for node in nodes if node[0] in NAMED and not node[1]]
    assert not nameless, nameless
    assert sum(role == "main" for role, _, _ in nodes) == 1 and sum(role == "banner" for role, _, _ in nodes) == 1
    levels = [more["level"] for role, _, more in nodes if role == "heading"]
    assert levels.count(1) == 1 and levels[0] == 1, levels
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:])), f"a level is left out: {levels}"
    assert browser.value("document.documentElement.lang") == "en" and browser.value("document.title")
    ids = browser.value("[...document.querySelectorAll('[id]')].map(it => it.id)")
    assert len(set(ids)) == len(ids), "an id stands twice"
    # What changes by itself is announced, politely; what went wrong, at once.
    live = {role for role, _, more in nodes if more.get("live")}
    assert "status" in live, "whether the page is live"
    assert browser.value("[...document.querySelectorAll('.fault')].every(it => it.getAttribute('role') == 'alert')")
    assert browser.value("document.getElementById('coordinator').getAttribute('aria-live')") == "polite"


# --- contrast: WCAG 1.4.3, and 1.4.11 for edges ---

CONTRAST = """(() => {
  const channels = text => { const got = text.match(/[\\d.]+/g).map(Number); return [got[0], got[1], got[2], got[3] ?? 1]; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const luminance = rgb => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const c = rgb[i] / 255; return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4); }, 0);
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const ground = node => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const box = at.closest('svg') && at.parentElement?.querySelector(':scope > rect');
      layers.push(channels(box ? getComputedStyle(box).fill : getComputedStyle(at).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
  };
  const shown = node => node.checkVisibility({opacityProperty: true, visibilityProperty: true}) && node.getClientRects().length && node.getBoundingClientRect().right > 0;
  const low = [], seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement, style = getComputedStyle(node);
    if (!text.data.trim() || !shown(node) || node.closest('noscript, title, datalist, :disabled')) continue;
    texts++;
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const color = channels(node.closest('svg') ? style.fill : style.color), under = ground(node), got = contrast(over(color, under), under);
    if (got < (large ? 3 : 4.5)) low.push(`${text.data.trim().slice(0, 20)}: ${got.toFixed(2)}`);
  }
  for (const node of document.querySelectorAll('input, button')) {
    if (!shown(node) || node.disabled) continue;
    const around = ground(node.parentElement), style = getComputedStyle(node);
    const edge = Math.max(contrast(over(channels(style.borderColor), around), around), contrast(ground(node), around));
    if (edge < 3) low.push(`edge of ${node.id || node.innerText}: ${edge.toFixed(2)}`);
  }
  return {low: [...new Set(low)], texts};
})()"""


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_can_be_read(browser, dark):
    browser.look(*DESKTOP, dark)
    got = browser.value(CONTRAST)
    assert got["texts"] > 10 and not got["low"], got


# --- small screens and large letters: WCAG 1.4.4, 1.4.10 ---

@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("size", [PHONE, NARROWEST], ids=["phone", "narrowest"])
def test_nothing_is_wider_than_the_screen(browser, size):
    browser.look(*size)
    wide = browser.value("""[...document.querySelectorAll('body *')].filter(it => it.checkVisibility() && !it.closest('.scroll, svg, .skip, .off')
        && it.getBoundingClientRect().right > innerWidth + 1).map(it => it.outerHTML.slice(0, 80))""")
    assert not wide and browser.value("document.documentElement.scrollWidth") <= size[0], wide


# --- axe-core ---

@pytest.mark.skipif(not AXE, reason="CONCLAVE_AXE names no axe-core; tests/tools/axe.sh fetches it")
@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("size, dark", [(DESKTOP, False), (DESKTOP, True), (PHONE, False)], ids=["light", "dark", "phone"])
def test_axe_finds_no_violation(browser, size, dark):
    browser.look(*size, dark)
    browser.value(pathlib.Path(AXE).read_text(encoding="utf-8") + "; 0")
    got = browser.value("""axe.run(document, {resultTypes: ['violations']}).then(all => ({passed: all.passes.length,
        violations: all.violations.map(it => [it.id, it.help, it.nodes.map(node => node.html.slice(0, 120))])}))""")
    assert not got["violations"] and got["passed"] > 20, got


# --- keyboard: WCAG 2.1.1, 2.4.3, 2.4.7 ---

FOCUS = """(() => {
  const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
  if (node === document.body) return null;
  const all = [...document.querySelectorAll('*')];
  return {at: all.indexOf(node), what: node.id || node.outerHTML.slice(0, 60), visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
          inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth};
})()"""
CONTROLS = """(() => { const all = [...document.querySelectorAll('*')];
  return all.filter(it => it.matches('a[href], button, input, [tabindex="0"]') && !it.disabled && it.checkVisibility()).map(it => all.indexOf(it)); })()"""


def press_tab(browser):
    for kind in ["rawKeyDown", "keyUp"]:
        browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)


@pytest.mark.usefixtures("page")
def test_everything_is_reached_by_keyboard(browser):
    browser.look(*DESKTOP)
    browser.value("window.drawSoon = () => {}; document.activeElement.blur(); scrollTo(0, 0)")
    wanted, reached = browser.value(CONTROLS), []
    browser.call("Page.bringToFront")
    browser.value("document.body.setAttribute('tabindex', '-1'); document.body.focus(); document.body.removeAttribute('tabindex')")
    for _ in range(len(wanted) + 3):
        press_tab(browser)
        focus = browser.value(FOCUS)
        if focus is None or focus["at"] in reached:
            break
        assert focus["visible"] and focus["inside"], focus
        reached.append(focus["at"])
    assert set(wanted) <= set(reached), [browser.value(f"document.querySelectorAll('*')[{at}].outerHTML.slice(0, 80)")
                                         for at in set(wanted) - set(reached)]
    assert reached == sorted(reached), "in the order in which they stand"
