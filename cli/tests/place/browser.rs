// SPDX-License-Identifier: AGPL-3.0-only
//! How long Chromium needs to show a page.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Added to the page: says when the first picture after loading is there, in ms since the page was asked for.
const CLOCK: &str = "<script>addEventListener('load', () => requestAnimationFrame(() => setTimeout(() => {
const said = document.createElement('p'); said.id = 'shown'; said.textContent = performance.now(); document.body.append(said); }, 0)));</script>";

/// The time until a page is shown; none without a browser that draws it.
pub(crate) fn opens(page: &str) -> Option<Duration> {
    let folder = tempfile::TempDir::with_prefix("gossipper-page-").expect("a folder");
    let file = folder.path().join("page.html");
    std::fs::write(&file, page.replace("</body>", &format!("{CLOCK}</body>"))).expect("written");
    let spawned = ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|browser| {
            Command::new(browser)
                .args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--no-first-run",
                    "--disable-extensions",
                ])
                .args(["--virtual-time-budget=3000", "--dump-dom"])
                .arg(format!(
                    "--user-data-dir={}",
                    folder.path().join("profile").display()
                ))
                .arg(&file)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()
        });
    spawned.and_then(|mut child| {
        let mut out = child.stdout.take().expect("its output");
        let (done, read) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let ended = out.read_to_string(&mut text);
            done.send(ended.map(|_| text)).ok();
        });
        let text = read.recv_timeout(Duration::from_secs(60));
        child.kill().ok();
        child.wait().expect("it ends");
        let text = text
            .expect("Chromium is done within a minute")
            .expect("read");
        // On a busy machine Chromium may give up before it has drawn anything.
        let (_, rest) = text.rsplit_once("<p id=\"shown\">")?;
        let ms: f64 = rest
            .split('<')
            .next()
            .and_then(|ms| ms.parse().ok())
            .expect("a time");
        Some(Duration::from_secs_f64(ms / 1000.0))
    })
}
