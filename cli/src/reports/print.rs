// SPDX-License-Identifier: AGPL-3.0-only
//! Printing a page with a browser.
//!
//! The browser is started once, without a window, with a profile of its own that is deleted, and ended if it takes too long.
//! The page is copied beside that profile, so that the browser reads nothing else under its name.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// In the order in which they are looked for.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// After which a browser is ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// The page as PDF.
pub(super) fn pdf(page: &str) -> Result<Vec<u8>, String> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let browser = browser(&paths).ok_or(
        "no chromium/google-chrome found in PATH; of a summary (JSON) a PDF is made without one",
    )?;
    let folder = Folder::new()?;
    let fault = |what: &str, error: &std::io::Error| format!("cannot {what}: {error}");
    let (source, target) = (folder.0.join("page.html"), folder.0.join("page.pdf"));
    std::fs::write(&source, page).map_err(|error| fault("copy the page", &error))?;
    let mut profile = std::ffi::OsString::from("--user-data-dir=");
    profile.push(folder.0.join("profile"));
    let mut print = std::ffi::OsString::from("--print-to-pdf=");
    print.push(&target);
    let mut child = Command::new(&browser)
        .args([
            "--headless",
            "--disable-gpu",
            "--no-sandbox",
            "--no-first-run",
            "--no-pdf-header-footer",
        ])
        .args(["--disable-background-networking", "--disable-extensions"])
        .arg(profile)
        .arg(print)
        .arg(&source)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| fault(&format!("start `{}`", browser.display()), &error))?;
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(LOOK),
            Ok(None) => {
                // It may have ended between the two; then there is nothing to end.
                let _ = child.kill();
                let _ = child.wait();
                let limit = PATIENCE.as_secs();
                return Err(format!(
                    "`{}` did not print within {limit} s",
                    browser.display()
                ));
            }
            Err(error) => return Err(fault("wait for the browser", &error)),
        }
    }
    std::fs::read(&target).map_err(|_| format!("`{}` printed nothing", browser.display()))
}

/// The first of them in these folders.
fn browser(paths: &OsStr) -> Option<PathBuf> {
    BROWSERS.iter().find_map(|name| {
        let mut places = std::env::split_paths(paths).map(|folder| folder.join(name));
        places.find(|place| runnable(place))
    })
}

#[cfg(unix)]
fn runnable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn runnable(path: &Path) -> bool {
    path.is_file()
}

/// A folder that is deleted with what is in it.
struct Folder(PathBuf);

impl Folder {
    /// Under a name that is free, for nobody but us.
    fn new() -> Result<Self, String> {
        let base = std::env::temp_dir();
        for attempt in 0..1000 {
            let path = base.join(format!("gossipper-{}-{attempt}", std::process::id()));
            let mut builder = std::fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("cannot make `{}`: {error}", path.display())),
            }
        }
        Err(format!("no name is free in `{}`", base.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a folder for temporary files is deleted by others.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_first_browser_that_can_be_run_is_taken() {
        let folder = Folder::new().expect("a folder");
        let paths = folder.0.clone();
        assert_eq!(browser(paths.as_os_str()), None);
        for name in ["google-chrome", "chromium-browser"] {
            std::fs::write(paths.join(name), "").expect("written");
        }
        assert_eq!(browser(paths.as_os_str()), None, "not runnable");
        let run = paths.join("google-chrome");
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o755)).expect("set");
        assert_eq!(browser(paths.as_os_str()), Some(run));
    }

    #[test]
    fn a_folder_goes_with_what_is_in_it() {
        let folder = Folder::new().expect("a folder");
        let path = folder.0.clone();
        std::fs::write(path.join("a"), "b").expect("written");
        assert_ne!(Folder::new().expect("another").0, path);
        drop(folder);
        assert!(!path.exists());
    }
}
