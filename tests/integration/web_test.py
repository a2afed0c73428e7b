#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The web page in a real browser (Debian's chromium, headless) against `glint serve` with the demo model. After every test:
no request left the server, nothing broke the content security policy, no error in the console. Pictures of what was tested
go to the folder given, for people to look at. Exits with 77 where browser or driver is missing.

usage: web_test.py GLINT PICTURES"""
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from glint_server import Server  # noqa: E402
from web_samples import HOSTILE, PDF, TOUR, conversation_file  # noqa: E402

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait
except ImportError:
    webdriver = None

GLINT, PICTURES = "", Path()
WATCH = """
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (e) => violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
"""
TOO_WIDE = """
  return [...document.querySelectorAll('.messages *, .composer *')].map((e) => [e.className, e.getBoundingClientRect().right, e])
    .filter(([, right, e]) => right > innerWidth && !e.closest('pre code, table, .katex')).map(([name, right]) => `${name} ${right}`);
"""
# Every visible text with less contrast to its ground than 4.5 : 1 (3 : 1 where it is large), as "text: ratio".
CONTRAST = """
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return c.startsWith('color(srgb') ? [m[0]*255, m[1]*255, m[2]*255, m[3] ?? 1] : [m[0], m[1], m[2], m[3] ?? 1]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = (e) => { const stack = []; for (; e; e = e.parentElement) stack.push(parse(getComputedStyle(e).backgroundColor));
    return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const poor = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let n = 0;
  for (let node; (node = walker.nextNode()); ) {
    const e = node.parentElement, style = getComputedStyle(e);
    if (!node.data.trim() || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || e.closest('.unseen, .skip, .katex-mathml, [disabled]')) continue;
    ++n;
    const below = ground(e), text = over(parse(style.color), below), [a, b] = [light(text), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 || (size >= 18.5 && style.fontWeight >= 700) ? 3 : 4.5)) poor.push(`${node.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return [n, poor];
"""


def start_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1360,900"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    return browser


class WebTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(GLINT, "-np", "2", "--temp", "0")
        cls.addClassCleanup(cls.server.stop)
        cls.browser = start_browser()
        cls.addClassCleanup(cls.browser.quit)
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def setUp(self):
        self.allowed_errors = []
        self.n_requests = 0
        self.show(1360, 900)
        self.open(self.server.url)

    def tearDown(self):
        self.assertEqual(self.run_script("return window.violations"), [])
        self.assertIsNone(self.run_script("return window.hacked ?? null"))
        self.leave()
        for entry in self.browser.get_log("browser"):
            if entry["level"] == "SEVERE" and not any(text in entry["message"] for text in self.allowed_errors):
                self.fail(entry["message"])
        self.assertGreater(self.n_requests, 0)  # else the watch saw nothing

    # What the tests are told with.

    def leave(self):
        """From now on nothing comes from this page."""
        self.browser.get("about:blank")
        self.requests()

    def requests(self):
        """Those since the last call, all to where the page came from."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        requests = [message["params"]["request"] for message in messages
                    if message["method"] == "Network.requestWillBeSent" and message["params"]["request"]["url"] != "about:blank"]
        for request in requests:
            self.assertTrue(request["url"].startswith((self.origin, "blob:" + self.origin)), request)
        self.n_requests += len(requests)
        return requests

    def open(self, url):
        self.origin = url
        self.browser.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"})
        self.browser.get(url + "/")
        self.until(lambda: self.all(".ready") and self.text(".server-state"))

    def show(self, width, height, scheme="light"):
        is_phone = width < 600
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone})
        self.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_phone})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def slow_network(self, bytes_a_second):
        self.browser.execute_cdp_cmd("Network.enable", {})
        self.browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": bytes_a_second, "uploadThroughput": -1})

    def run_script(self, script, *values):
        return self.browser.execute_script(script, *values)

    def until(self, condition):
        return WebDriverWait(self.browser, 60, 0.03).until(lambda _: condition())

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.until(lambda: self.all(selector))[0]

    def text(self, selector):
        return self.run_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def texts(self, selector):
        return self.run_script("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", selector)

    def click(self, selector):
        self.run_script("arguments[0].click()", self.one(selector))

    def set(self, selector, text):
        self.run_script("const [e, v] = arguments; e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true}))", self.one(selector), text)

    def type(self, *keys):
        self.browser.switch_to.active_element.send_keys(*keys)

    def is_over(self):
        return not self.run_script("return document.querySelector('.send.stop:not([hidden])') !== null")

    def ask(self, text):
        n = len(self.all(".message.assistant"))
        self.one("#message").send_keys(text, Keys.ENTER)
        self.until(lambda: len(self.all(".message.assistant")) > n)
        self.until(self.is_over)

    def answer(self):
        return self.texts(".message.assistant > .markdown")[-1]

    def picture(self, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.browser.save_screenshot(str(PICTURES / f"{name}.png"))

    def import_conversation(self, *conversations):
        path = self.folder / "import.json"
        path.write_text(json.dumps(conversation_file(*conversations)))
        self.one("#import").send_keys(str(path))
        self.one(".message.assistant footer .actions")

    def assert_contrast(self):
        for scheme in ("dark", "light"):
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            n, poor = self.run_script(CONTRAST)
            self.assertGreater(n, 40)
            self.assertEqual(poor, [], scheme)

    # The tests.

    def test_chat(self):
        self.assertEqual(self.text(".server-state"), "glint-demo")
        self.ask("What is 2 + 3?")
        self.assertIn("5", self.answer())
        self.assertEqual(self.text(".conversation-title"), "What is 2 + 3?")
        self.assertEqual(self.texts(".conversations .title"), ["What is 2 + 3?"])
        thinking = self.one(".message.assistant .thinking")
        self.assertIsNone(thinking.get_attribute("open"))
        self.assertFalse(self.one(".thinking .markdown").is_displayed())
        thinking.find_element(By.TAG_NAME, "summary").click()
        self.assertGreater(len(self.one(".thinking .markdown").text), 10)
        facts = dict(zip(self.texts(".facts dt"), self.texts(".facts b")))
        for name in ("Speed", "First token", "Written", "Prompt"):
            self.assertRegex(facts[name], r"^[\d.,]+$")
        self.assertIn(" of 1,024 tokens", self.text(".meter"))
        self.assertIn("tok/s", self.text(".cost"))
        self.assertIn(self.answer(), self.text('[role="log"]') or self.run_script("return document.querySelector('[role=log]').textContent"))
        self.browser.refresh()  # it is kept
        self.until(lambda: self.all(".conversations .title"))
        self.click(".conversations .title")
        self.assertIn("5", self.answer())
        self.picture("chat")

    def test_stop_with_escape(self):
        self.slow_network(2500)
        try:
            self.one("#message").send_keys("Tell me a story about a fox.", Keys.ENTER)
            self.until(lambda: len(self.text(".message.assistant .thinking summary, .message.assistant > .markdown")) > 5)
            self.picture("writing")
            self.type(Keys.ESCAPE)
            self.until(self.is_over)
        finally:
            self.slow_network(-1)
        self.until(lambda: "Stopped." in self.text(".message.assistant"))
        self.until(lambda: "llamacpp:requests_processing 0" in self.run_script("return fetch('metrics').then((r) => r.text())"))

    def test_go_on_where_it_was_cut(self):
        self.set("#thinking", "off")
        self.set("#set-max_tokens", "12")
        self.ask("Tell me a story about a fox.")
        begun = self.answer()
        self.assertIn("Cut off", self.text(".message.assistant"))
        self.set("#set-max_tokens", "")
        self.click(".continue")
        self.until(lambda: self.is_over() and len(self.answer()) > len(begun) + 100)
        self.assertTrue(self.answer().startswith(begun))
        self.assertEqual(len(self.all(".message.assistant")), 1)

    def test_several_models(self):
        with Server(GLINT, "--temp", "0", "-a", "first,second") as server:
            self.leave()
            self.open(server.url)
            self.until(lambda: self.all("#model option"))
            self.assertEqual(self.texts("#model option"), ["first", "second"])
            self.set("#model", "second")
            self.until(lambda: self.run_script("return performance.getEntriesByName(location.origin + '/props?model=second').length"))
            self.ask("What is 2 + 3?")
            bodies = [json.loads(request["postData"]) for request in self.requests() if request["url"].endswith("chat/completions")]
            self.assertEqual([body["model"] for body in bodies], ["second"])

    def test_edit_branch_and_compare(self):
        self.ask("What is 2 + 3?")
        self.click(".message.user .edit")
        area = self.one(".editor textarea")
        self.assertEqual(self.browser.switch_to.active_element, area)
        area.send_keys(Keys.CONTROL + "a", Keys.NULL, "What is 4 + 4?", Keys.ENTER)
        self.until(lambda: self.is_over() and "8" in self.answer())
        self.assertEqual(self.texts(".message.user .words"), ["What is 4 + 4?"])
        self.assertEqual(self.texts(".message.user .count"), ["2/2"])
        self.click('.message.user [aria-label="Earlier version"]')
        self.until(lambda: self.texts(".message.user .words") == ["What is 2 + 3?"])
        self.assertIn("5", self.answer())
        self.set("#set-temperature", "1.5")
        self.click(".message.assistant .retry")
        self.until(lambda: self.is_over() and self.texts(".message.assistant .count") == ["2/2"])
        self.assertLess(self.run_script("return Math.max(...[...document.querySelectorAll('.messages footer')].map((e) => e.offsetHeight))"), 60)
        self.click(".message.assistant .compare")
        bodies = self.until(lambda: self.texts("dialog .column-body"))
        self.assertEqual(len(bodies), 2)
        self.assertIn("5", bodies[0])
        self.picture("compare")
        self.type(Keys.ESCAPE)
        self.until(lambda: not self.all("dialog"))

    def test_schema(self):
        self.set("#set-schema", '{"type": ')
        self.assertIn("not JSON", self.text("#fault-schema"))
        self.set("#set-schema", '{"type": "objekt"}')
        self.assertEqual(self.text("#fault-schema"), "")
        self.allowed_errors = ["chat/completions"]  # 400
        self.ask("What is 2 + 3?")
        self.assertIn("objekt", self.text(".fault"))
        self.assertIn("objekt", self.text("#fault-schema"))
        self.assertEqual(self.one("#set-schema").get_attribute("aria-invalid"), "true")
        self.picture("schema_fault")
        self.assert_contrast()
        schema = {"type": "object", "properties": {"sum": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["sum"], "additionalProperties": False}
        self.set("#set-schema", json.dumps(schema))
        self.click(".fault button")
        self.until(lambda: self.is_over() and self.all(".message.assistant .code"))
        self.assertEqual(list(json.loads(self.text(".message.assistant pre"))), ["sum"])
        self.assertEqual(self.texts(".changes .chip"), ["JSON schema"])

    def test_tools(self):
        self.run_script("document.querySelector('[data-section=tools]').open = true")
        self.set("#set-tools", '[{"name": "get_weather", "description": "Weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]')
        self.ask("What is the weather in Paris?")
        self.assertEqual(self.texts(".call h3"), ["get_weather"])
        self.assertEqual(json.loads(self.text(".call pre")), {"city": "Paris"})
        self.picture("tool_call")
        self.assert_contrast()
        self.one(".call textarea").send_keys("18 degrees")
        self.click(".calls [type=submit]")
        self.until(lambda: self.is_over() and len(self.all(".message.assistant")) == 2)
        self.assertIn("18", self.answer())

    def test_hostile_answer(self):
        self.import_conversation(("Hostile", HOSTILE))
        self.run_script("for (const e of document.querySelectorAll('.thinking, .file')) e.open = true")
        shown = self.text(".message.assistant > .markdown")
        self.assertIn("<script>window.hacked = 1</script>", shown)  # as text
        self.assertEqual(self.run_script("return document.querySelectorAll('.messages :is(script, img, iframe, style, form[action], [style*=fixed], object, embed)').length"), 0)
        links = self.run_script("return [...document.querySelectorAll('.messages a')].map((a) => a.href)")
        self.assertTrue(links and all(link.startswith("https://") for link in links), links)
        for handler in ("onerror", "onload", "onmouseover"):
            self.assertEqual(self.run_script(f"return document.querySelectorAll('[{handler}]').length"), 0)
        self.run_script("for (const e of document.querySelectorAll('.messages *')) e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))")
        self.assertEqual(self.run_script("try { document.body.innerHTML = '<b></b>'; return 'set' } catch (e) { return e.name }"), "TypeError")
        self.run_script("window.violations = window.violations.filter((v) => !v.includes('<b></b>'))")  # of the line above
        self.allowed_errors = ["TrustedHTML"]
        self.picture("hostile")

    def test_deep_nesting(self):
        deep = [">" * 20000 + " deep", "[" * 20000, "$" + "{" * 20000 + "x" + "}" * 20000 + "$", "*a " * 5000, "- " * 3000 + "x", "`" * 5001]
        self.import_conversation(*((f"Deep {i}", text) for i, text in enumerate(deep)))
        for i in range(len(deep)):
            self.click(f".conversations li:nth-child({i + 1}) .title")
            self.until(lambda: self.text(".conversation-title").startswith("Deep"))
            self.assertGreater(self.run_script("return document.querySelector('.message.assistant > .markdown').textContent.length"), 3)
        self.allowed_errors = ["apply-template", "tokenize"]

    def test_markdown(self):
        self.import_conversation(("A tour", TOUR))
        for selector in (".katex", ".katex-display", ".hljs-keyword", "table", "li", "blockquote", "sub"):
            self.assertTrue(self.all(".markdown " + selector), selector)
        self.assertFalse(self.all(".katex-error"))
        self.assertIn("$5 or $10", self.text(".message.assistant"))
        self.assertEqual(self.texts(".message.assistant > .markdown .code-head span"), ["python"])
        self.assertEqual(self.run_script("return getComputedStyle(document.querySelector('td[align=right]')).textAlign"), "right")
        self.run_script("document.querySelector('.transcript').scrollTop = 0")
        self.assert_contrast()
        self.picture("markdown_light")
        self.show(1360, 900, "dark")
        self.picture("markdown_dark")
        ground = "return getComputedStyle(document.body).backgroundColor"
        dark = self.run_script(ground)
        self.click("#theme")  # from the system's to light
        self.assertNotEqual(self.run_script(ground), dark)
        self.show(1360, 900, "light")
        self.click("#theme")
        self.assertEqual(self.run_script(ground), dark)

    def test_phone(self):
        self.show(390, 844)
        self.browser.refresh()
        fits = "return document.documentElement.scrollWidth <= 390 && document.body.scrollWidth <= 390 && innerWidth == 390"
        self.until(lambda: self.all(".ready"))
        self.assertFalse(self.one("#sidebar").is_displayed())
        self.import_conversation(("A tour", TOUR), ("Hostile", HOSTILE))
        self.assertTrue(self.run_script(fits))
        self.assertEqual(self.run_script(TOO_WIDE), [])
        self.picture("phone")
        self.run_script("document.querySelector('.transcript').scrollTop = 0")
        self.picture("phone_top")
        self.click("#toggle-list")
        self.until(lambda: self.one("#sidebar").is_displayed())
        self.picture("phone_list")
        self.assertTrue(self.run_script(fits))
        self.click(".conversations li:nth-child(2) .title")
        self.until(lambda: not self.one("#sidebar").is_displayed() and self.all(".fault"))
        self.assertEqual(self.run_script(TOO_WIDE), [])
        self.click("#toggle-panel")
        self.picture("phone_settings")
        self.assert_contrast()
        self.assertTrue(self.run_script(fits))
        self.type(Keys.ESCAPE)
        self.assertFalse(self.one("#panel").is_displayed())

    def test_keyboard_alone(self):
        # The field has the focus; a message, then a new chat, then to the first one, all without a mouse.
        self.until(lambda: self.browser.switch_to.active_element.get_attribute("id") == "message")
        self.type("Two", Keys.SHIFT, Keys.ENTER, Keys.NULL, "lines")
        self.assertEqual(self.one("#message").get_attribute("value"), "Two\nlines")
        self.type(Keys.ENTER)
        self.until(lambda: self.all(".message.assistant") and self.is_over())
        self.type(Keys.ARROW_UP)
        self.assertEqual(self.browser.switch_to.active_element, self.one(".editor textarea"))
        self.type(Keys.ESCAPE)
        self.assertEqual(self.browser.switch_to.active_element, self.one(".message.user .edit"))
        self.type(Keys.CONTROL, "k")
        self.until(lambda: not self.all(".message"))
        self.browser.switch_to.active_element.send_keys(Keys.NULL)
        self.run_script("document.querySelector('.skip').focus()")
        seen = []
        for _ in range(60):
            self.type(Keys.TAB)
            element = self.browser.switch_to.active_element
            if element.tag_name == "body":
                break
            outlined = self.run_script("const s = getComputedStyle(arguments[0]); return s.outlineStyle !== 'none' || arguments[0].id === 'message'", element)
            self.assertTrue(outlined, element.get_attribute("outerHTML"))
            seen.append(element.get_attribute("id") or element.get_attribute("class"))
            if "title" in seen[-1]:
                break
        self.assertEqual(seen[:2], ["new-chat", "search"])
        self.type(Keys.ENTER)
        self.until(lambda: self.texts(".message.user .words") == ["Two\nlines"])

    def test_files(self):
        text, pdf, binary = self.folder / "notes.py", self.folder / "page.pdf", self.folder / "data.bin"
        text.write_text("answer = 42  # notes\n" * 3)
        pdf.write_bytes(PDF)
        binary.write_bytes(b"\x00\x01\x02\xff")
        self.one("#files").send_keys(f"{text}\n{pdf}")
        self.until(lambda: sum("tokens" in chip for chip in self.texts(".tray .chip")) == (2 if shutil.which("pdftotext") else 1))
        self.one("#files").send_keys(str(binary))
        self.until(lambda: "neither text" in self.text(".toast"))
        self.run_script("""
          const data = new DataTransfer();
          data.items.add(new File(['dropped words'], 'dropped.txt', {type: 'text/plain'}));
          for (const kind of ['dragenter', 'dragover', 'drop']) window.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
        """)
        self.until(lambda: any("dropped.txt" in chip for chip in self.texts(".tray .chip")))
        self.until(lambda: self.text(".composer .count"))
        self.picture("files")
        self.assert_contrast()
        self.click('[aria-label="Remove page.pdf"]') if shutil.which("pdftotext") else None
        self.ask("What is 2 + 3?")
        self.assertEqual(len(self.all(".message.user .file")), 2)
        self.assertIn("answer = 42", self.run_script("return document.querySelector('.message.user .file pre').textContent"))

    def test_list_and_export(self):
        self.import_conversation(("A tour", TOUR), ("Hostile", HOSTILE))
        self.set("#search", "gaussian")
        self.until(lambda: self.texts(".conversations .title") == ["A tour"])
        self.set("#search", "")
        self.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(self.folder)})
        menu = ".conversations li.current .menu-items button:nth-child({})"
        self.run_script("document.querySelector('.conversations li.current .menu').open = true")
        self.picture("menu")
        for child, name in ((2, "a-tour.md"), (3, "a-tour.json")):
            self.click(menu.format(child))
            self.until((self.folder / name).exists)
        self.until(lambda: (self.folder / "a-tour.json").read_text().endswith("}\n"))
        self.assertIn("## Maths", (self.folder / "a-tour.md").read_text())
        exported = json.loads((self.folder / "a-tour.json").read_text())["conversations"]
        self.assertEqual([message["content"] for message in exported[0]["messages"]][1], TOUR)
        self.click(menu.format(1))
        self.one(".conversations li input").send_keys(Keys.CONTROL + "a", Keys.NULL, "Renamed", Keys.ENTER)
        self.until(lambda: self.text(".conversation-title") == "Renamed")
        self.click(menu.format(4))
        self.until(lambda: self.texts(".conversations .title") == ["Hostile"])
        self.click(".toast .text-button")
        self.until(lambda: sorted(self.texts(".conversations .title")) == ["Hostile", "Renamed"])
        self.one("#import").send_keys(str(self.folder / "a-tour.md"))
        self.until(lambda: "not JSON" in self.text(".toast"))

    def test_live_slots(self):
        body = json.dumps({"prompt": "Once upon a time", "n_predict": 900, "ignore_eos": True}).encode()
        is_over = threading.Event()

        def keep_busy():
            while not is_over.is_set():
                urllib.request.urlopen(urllib.request.Request(self.origin + "/completion", body)).read()

        others = [threading.Thread(target=keep_busy) for _ in range(3)]
        for other in others:
            other.start()
        try:
            # Two write, the third waits for a place.
            rows = self.until(lambda: (rows := self.texts(".slots tbody tr")) and any("writes" in row for row in rows) and rows)
            self.picture("slots")
            self.assertLessEqual(len(rows), 3)
            self.assertIn("Slot", self.text(".slots thead"))
            self.assert_contrast()
            self.until(lambda: any("waits" in row for row in self.texts(".slots tbody tr")))
        finally:
            is_over.set()
            for other in others:
                other.join()
        self.until(lambda: not self.all(".slots"))

    def test_two_tabs(self):
        first = self.browser.current_window_handle
        self.ask("What is 2 + 3?")
        self.browser.switch_to.new_window("tab")
        second = self.browser.current_window_handle
        try:
            self.browser.get(self.origin + "/")
            self.until(lambda: self.texts(".conversations .title") == ["What is 2 + 3?"])
            self.click(".conversations .title")
            self.until(lambda: len(self.all(".message.assistant")) == 1)
            self.ask("What is 4 + 4?")
            # What one tab adds is seen in the other, and gone on from.
            self.browser.switch_to.window(first)
            self.until(lambda: self.texts(".message.user .words") == ["What is 2 + 3?", "What is 4 + 4?"] and "8" in self.answer())
            self.picture("two_tabs")
            self.run_script("document.querySelector('.conversations li.current .menu').open = true")
            self.click(".conversations li.current .menu-items button:nth-child(1)")
            self.one(".conversations li input").send_keys(Keys.CONTROL + "a", Keys.NULL, "Sums", Keys.ENTER)
            self.set("#set-temperature", "0.5")
            self.browser.switch_to.window(second)
            self.until(lambda: self.text(".conversation-title") == "Sums")
            self.until(lambda: self.one("#set-temperature").get_attribute("value") == "0.5")
            # What a tab did not hear of it does not overwrite: here another version of the first question.
            self.stored("""for (const one of all) {
                one.messages.push({id: 'unheard', parent: '', role: 'user', content: 'What is 1 + 1?', created: Date.now()});
                store.put(one);
              }""")
            self.ask("What is 3 + 3?")
            self.assertEqual(self.texts(".message.user .count"), ["1/2"])
            self.browser.switch_to.window(first)
            self.until(lambda: len(self.texts(".message.user .words")) == 3 and "6" in self.answer())
            kept, = self.stored()
            self.assertEqual([message["content"] for message in kept["messages"] if message["role"] == "user"],
                             ["What is 2 + 3?", "What is 4 + 4?", "What is 1 + 1?", "What is 3 + 3?"])
            self.assertEqual([message.get("ending") for message in kept["messages"] if message["role"] == "assistant"], ["done"] * 3)
            self.browser.switch_to.window(second)
            # What one deletes is gone in the other, and back with it.
            self.run_script("document.querySelector('.conversations li.current .menu').open = true")
            self.click(".conversations li.current .menu-items button:nth-child(4)")
            self.browser.switch_to.window(first)
            self.until(lambda: self.texts(".conversations .title") == [] and not self.all(".message"))
            self.browser.switch_to.window(second)
            self.click(".toast .text-button")
            self.browser.switch_to.window(first)
            self.until(lambda: self.texts(".conversations .title") == ["Sums"])
        finally:
            self.browser.switch_to.window(second)
            self.browser.close()
            self.browser.switch_to.window(first)

    def stored(self, change=""):
        """The conversations as the browser keeps them, before the change."""
        return self.browser.execute_async_script("""
          const done = arguments[0], opening = indexedDB.open('glint', 1);
          opening.onsuccess = () => {
            const work = opening.result.transaction('conversations', 'readwrite'), store = work.objectStore('conversations');
            let all;
            store.getAll().onsuccess = (event) => { all = event.target.result; CHANGE };
            work.oncomplete = () => { opening.result.close(); done(all); };
          };""".replace("CHANGE", change))

    def test_key_and_prefix(self):
        self.allowed_errors = ["401"]
        with Server(GLINT, "--api-key", "secret", "--api-prefix", "/llm", "--no-log-requests") as server:
            self.leave()
            self.origin = server.url
            self.browser.get(server.url + "/llm/")
            self.one("dialog #api-key").send_keys("wrong", Keys.ENTER)
            self.until(lambda: "does not know this key" in self.text("dialog"))
            self.picture("key")
            self.one("dialog #api-key").send_keys(Keys.CONTROL + "a", Keys.NULL, "secret", Keys.ENTER)
            self.until(lambda: self.text(".server-state") == "glint-demo")
            self.ask("What is 2 + 3?")
            self.assertIn("5", self.answer())
        self.allowed_errors.append("ERR_CONNECTION_REFUSED")
        self.one("#message").send_keys("Are you there?", Keys.ENTER)
        self.until(lambda: "Is glint serve still running?" in self.text(".fault"))
        self.picture("server_gone")


if __name__ == "__main__":
    GLINT, PICTURES = sys.argv.pop(1), Path(sys.argv.pop(1))
    if webdriver is None or not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("no chromium, chromedriver or selenium")
        sys.exit(77)
    unittest.main()
