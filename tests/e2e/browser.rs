//! A headless Chromium, driven over the DevTools protocol through a pair of pipes.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// A page in its own browser process.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Value,
    sent: u64,
    /// Events of the page so far: exceptions, console messages, requests and refused content.
    events: Vec<Value>,
    _profile: TempDir,
}

/// The browser's program: `CHROMIUM`, or the first of the usual names that exists.
fn program() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    named.into_iter().chain(usual).find(|name| {
        let found = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    })
}

impl Browser {
    /// Opens a file. Returns `None` with a message if there is no browser and
    /// `TRIFLOW_BROWSER_TESTS` is not set.
    pub fn open(file: &Path) -> Option<Self> {
        let Some(program) = program() else {
            let required = std::env::var_os("TRIFLOW_BROWSER_TESTS").is_some();
            assert!(!required, "no Chromium: install it or name it in CHROMIUM");
            eprintln!("SKIPPED: no Chromium found (CHROMIUM=… names one)");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            // The protocol uses the file descriptors 3 and 4.
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1"#])
            .arg(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            .args(["--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut browser = Self {
            child,
            to,
            from: BufReader::new(from),
            session: Value::Null,
            sent: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", attach)["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.size(1200, 900);
        let url = format!("file://{}", file.canonicalize().unwrap().display());
        browser.call("Page.navigate", json!({ "url": url }));
        while !browser.events.iter().any(|e| e["method"] == "Page.loadEventFired") {
            let event = browser.read();
            browser.events.push(event);
        }
        browser.settle();
        Some(browser)
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser went away");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Calls a method of the protocol, and returns its result.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        write!(self.to, "{message}\0").unwrap();
        self.to.flush().unwrap();
        loop {
            let answer = self.read();
            if answer["id"] != self.sent {
                self.events.push(answer);
                continue;
            }
            assert_eq!(answer.get("error"), None, "{method}");
            return answer["result"].clone();
        }
    }

    /// Evaluates a JavaScript expression in the page; waits for a promise.
    pub fn eval(&mut self, expression: &str) -> Value {
        let how = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", how);
        assert_eq!(result.get("exceptionDetails"), None, "{expression}");
        result["result"]["value"].clone()
    }

    /// Waits until the page has been painted twice.
    pub fn settle(&mut self) {
        self.eval(
            "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))",
        );
    }

    /// Presses and releases a key.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "Home" => (36, ""),
            "ArrowRight" => (39, ""),
            _ => panic!("the code of {key}?"),
        };
        let event = |kind: &str| json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
        self.call("Input.dispatchKeyEvent", event("keyDown"));
        self.call("Input.dispatchKeyEvent", event("keyUp"));
        self.settle();
    }

    /// Moves the pointer to the centre of the first element that matches a selector.
    pub fn point_at(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const it = document.querySelector('{selector}'); it.scrollIntoView({{ block: 'center' }}); \
             const b = it.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()"
        );
        let at = self.eval(&middle);
        let moved = json!({ "type": "mouseMoved", "x": at[0], "y": at[1] });
        self.call("Input.dispatchMouseEvent", moved);
        self.settle();
    }

    /// Sets the size of the window in pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Sets the medium (`screen` or `print`) and the preferred colour scheme (`light` or `dark`).
    pub fn media(&mut self, medium: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": medium, "features": features }));
        self.settle();
    }

    /// Writes a picture of the whole page to a file.
    pub fn screenshot(&mut self, file: &Path) {
        let how = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.call("Page.captureScreenshot", how);
        std::fs::write(file, decoded(&shot)).unwrap();
    }

    /// The page printed as PDF.
    pub fn pdf(&mut self) -> Vec<u8> {
        let how = json!({ "printBackground": true });
        decoded(&self.call("Page.printToPDF", how))
    }

    /// Problems that the page reported: exceptions, errors, warnings, refused content.
    pub fn complaints(&mut self) -> Vec<Value> {
        self.settle();
        let complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Network.loadingFailed") => true,
            Some("Runtime.consoleAPICalled") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] != "verbose",
            _ => false,
        };
        self.events.iter().filter(complaint).cloned().collect()
    }

    /// Addresses that the page requested.
    pub fn requests(&self) -> Vec<&str> {
        let requests = self.events.iter().filter(|e| e["method"] == "Network.requestWillBeSent");
        requests.filter_map(|e| e["params"]["request"]["url"].as_str()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let close = json!({ "id": 0, "method": "Browser.close" });
        if write!(self.to, "{close}\0").and_then(|()| self.to.flush()).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn decoded(answer: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
}
