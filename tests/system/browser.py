"""A headless Chromium, driven through chromedriver by the WebDriver protocol: HTTP and JSON, no library.

The network is off for it: every host but 127.0.0.1 has no address. Sandboxing needs a user who is not root."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.request

import harness

# A page that redraws itself takes elements away between two requests: then the last step is done again.
PASSING = {"stale element reference", "element click intercepted", "element not interactable"}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"     # the protocol's key of a reference to an element


class Refused(AssertionError):
    """What the driver did not do."""

    def __init__(self, error, what):
        super().__init__(f"{what}: {error}")
        self.error = error


class Browser:
    def __init__(self, folder, width=1280, height=1000):
        """folder: where its profile and the driver's log go."""
        self.port, self.session = harness.free_port(), None
        self.log = (pathlib.Path(folder) / "chromedriver.log").open("wb")
        self.driver = subprocess.Popen([shutil.which("chromedriver"), f"--port={self.port}"], stdout=self.log,
                                       stderr=self.log, env={**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"})
        flags = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
                 "--disable-background-networking", "--disable-component-update", "--disable-extensions",
                 f"--window-size={width},{height}", f"--user-data-dir={folder}/profile",
                 "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        options = {"args": flags, "binary": shutil.which("chromium")}
        try:
            harness.until(self.is_up, "chromedriver")
            self.session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def is_up(self):
        assert self.driver.poll() is None, "chromedriver ended"
        try:
            return self.ask("GET", "/status")["ready"]
        except OSError:
            return False

    def ask(self, method, path, body=None):
        if self.session:
            path = f"/session/{self.session}{path}"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=harness.PATIENCE) as response:
                return json.loads(response.read())["value"]
        except urllib.error.HTTPError as error:
            value = json.loads(error.read())["value"]
            raise Refused(value["error"], f"{method} {path}: {value['message']}") from None

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def script(self, text, *arguments):
        return self.ask("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def wait(self, css):
        """The first element that matches, as soon as there is one."""
        return harness.until(lambda: self.ask("POST", "/elements", {"using": "css selector", "value": css}), css)[0][ELEMENT]

    def do(self, css, *steps):
        """Each step, (what, body), with the first element that matches."""
        def done():
            try:
                element = self.wait(css)
                for what, body in steps:
                    self.ask("POST", f"/element/{element}/{what}", body)
                return True
            except Refused as refused:
                if refused.error not in PASSING:
                    raise
                return False
        harness.until(done, f"{steps} of {css}")

    def click(self, css):
        self.do(css, ("click", {}))

    def type(self, css, text):
        self.do(css, ("clear", {}), ("value", {"text": text}))

    def text(self, css):
        """What the first element that matches shows; "" when there is none."""
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def console(self):
        """What was written to the console since the last call, violations of the content policy among it."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def requested(self):
        """URLs that were asked for since the last call, whether they came or not."""
        events = [json.loads(e["message"])["message"] for e in self.ask("POST", "/se/log", {"type": "performance"})]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            try:
                self.driver.wait(harness.PATIENCE)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
            self.log.close()
