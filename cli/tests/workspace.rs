// SPDX-License-Identifier: AGPL-3.0-only
//! Holds the workspace to its own rules: which crate may know which, and what every source file begins with.
//!
//! The rules and their reasons are in docs/architecture.md and docs/adr. When a test here fails, change the code; change
//! the tables below only together with those documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Every member, by folder, with the members its ordinary (and build) dependencies may name.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("crates/sip", &[]),
    ("crates/bytecode", &["sip"]),
    ("crates/control", &["bytecode"]),
    ("crates/capture", &["hep"]),
    ("crates/media", &["sip", "capture"]),
    ("crates/hep", &[]),
    ("crates/otlp", &[]),
    ("crates/results", &["control"]),
    ("compiler", &["bytecode", "sip"]),
    ("vm", &["bytecode", "sip"]),
    (
        "runtime",
        &["vm", "bytecode", "sip", "control", "media", "hep", "otlp"],
    ),
    ("stdlib-scenarios", &[]),
    ("pcap2scenario", &["sip", "capture"]),
    ("console", &["control"]),
    (
        "cli",
        &[
            "sip",
            "bytecode",
            "control",
            "results",
            "capture",
            "media",
            "hep",
            "otlp",
            "compiler",
            "vm",
            "runtime",
            "stdlib-scenarios",
            "pcap2scenario",
            "console",
        ],
    ),
    ("crates/testkit", &["vm", "compiler", "bytecode", "sip"]),
    (
        "crates/xtask",
        &[
            "sip",
            "bytecode",
            "control",
            "results",
            "capture",
            "media",
            "hep",
            "otlp",
            "compiler",
            "vm",
            "runtime",
            "stdlib-scenarios",
            "pcap2scenario",
            "console",
            "cli",
            "testkit",
        ],
    ),
    (
        "benches",
        &[
            "sip",
            "bytecode",
            "control",
            "capture",
            "media",
            "hep",
            "otlp",
            "compiler",
            "vm",
            "runtime",
            "stdlib-scenarios",
            "testkit",
        ],
    ),
];

/// Members that must stay a pure function of their inputs.
const PURE: &[&str] = &[
    "sip", "bytecode", "capture", "media", "hep", "results", "compiler", "vm",
];

/// Crates that bring sockets, clocks, threads, processes or entropy of their own.
const IMPURE: &[&str] = &[
    "chrono",
    "crossbeam-channel",
    "getrandom",
    "h2",
    "hyper",
    "instant",
    "io-uring",
    "jiff",
    "libc",
    "mio",
    "native-tls",
    "nix",
    "openssl",
    "polling",
    "quanta",
    "quinn",
    "reqwest",
    "rustix",
    "rustls",
    "signal-hook",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tracing",
    "web-time",
    "windows-sys",
];

/// The same, as whole families.
const IMPURE_FAMILIES: &[&str] = &["async-", "futures", "tokio-", "hyper-"];

/// Edges that would reach an impure crate and are harmless, with the reason.
const HARMLESS_EDGES: &[(&str, &str)] = &[
    // On some targets cpufeatures asks the C library which instructions the CPU has; sha2 needs to know.
    ("cpufeatures", "libc"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("cli is a folder of the workspace")
        .to_path_buf()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--filter-platform".to_owned(), "host-tuple".to_owned()])
        .exec()
        .expect("cargo metadata runs in the workspace")
}

fn package_name(member: &str) -> String {
    let folder = member.rsplit('/').next().unwrap_or(member);
    format!("gossipper-{folder}")
}

#[test]
fn members_depend_only_on_what_the_architecture_allows() {
    let metadata = metadata();
    let allowed: BTreeMap<String, BTreeSet<String>> = MAY_DEPEND_ON
        .iter()
        .map(|(member, others)| {
            let others = others.iter().map(|other| package_name(other)).collect();
            (package_name(member), others)
        })
        .collect();
    let folders: BTreeMap<String, &str> = MAY_DEPEND_ON
        .iter()
        .map(|(member, _)| (package_name(member), *member))
        .collect();

    let members: BTreeSet<String> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(
        members,
        allowed.keys().cloned().collect::<BTreeSet<_>>(),
        "the members and the table above differ"
    );

    for package in metadata.workspace_packages() {
        let name = package.name.to_string();
        let expected = root().join(folders[&name]).join("Cargo.toml");
        assert_eq!(
            package.manifest_path.as_std_path(),
            expected,
            "{name} moved"
        );
        for dependency in &package.dependencies {
            if !members.contains(&dependency.name) {
                continue;
            }
            let pair = (name.as_str(), dependency.name.as_str());
            if dependency.kind == DependencyKind::Development {
                let forbidden = [
                    ("gossipper-compiler", "gossipper-vm"),
                    ("gossipper-vm", "gossipper-compiler"),
                ];
                assert!(!forbidden.contains(&pair), "{pair:?}: go through testkit");
            } else {
                assert!(
                    allowed[&name].contains(&dependency.name),
                    "{pair:?} is not in the table"
                );
            }
        }
    }
}

#[test]
fn no_socket_clock_or_async_crate_is_reachable_from_the_pure_crates() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("metadata resolves");
    let edges: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node
                .deps
                .iter()
                .filter(|dep| {
                    dep.dep_kinds
                        .iter()
                        .any(|kind| kind.kind == DependencyKind::Normal)
                })
                .map(|dep| &dep.pkg)
                .collect();
            (&node.id, normal)
        })
        .collect();
    for member in PURE {
        let name = package_name(member);
        let package = metadata
            .workspace_packages()
            .into_iter()
            .find(|package| package.name.as_str() == name)
            .unwrap_or_else(|| panic!("{name} is a member"));
        let mut todo = vec![(&package.id, name.clone())];
        let mut seen = BTreeSet::new();
        while let Some((id, path)) = todo.pop() {
            if !seen.insert(id) {
                continue;
            }
            let from = &metadata[id];
            for to in &edges[id] {
                let to_name = metadata[*to].name.as_str();
                let path = format!("{path} -> {to_name}");
                let impure = IMPURE.contains(&to_name)
                    || IMPURE_FAMILIES
                        .iter()
                        .any(|family| to_name.starts_with(family));
                if HARMLESS_EDGES.contains(&(from.name.as_str(), to_name)) {
                    continue;
                }
                assert!(!impure, "{path}");
                todo.push((to, path));
            }
        }
        assert!(!seen.is_empty());
    }
}

#[test]
fn the_reachability_test_would_notice_the_runtime() {
    // Guards the test above against a metadata format in which every edge has vanished.
    let metadata = metadata();
    let runtime = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == "gossipper-runtime")
        .expect("runtime is a member");
    let resolve = metadata.resolve.as_ref().expect("metadata resolves");
    let node = resolve
        .nodes
        .iter()
        .find(|node| node.id == runtime.id)
        .expect("runtime is resolved");
    let reaches_a_socket_crate = node.deps.iter().any(|dep| {
        IMPURE.contains(&metadata[&dep.pkg].name.as_str())
            && dep
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
    });
    assert!(reaches_a_socket_crate);
}

#[test]
fn every_member_inherits_the_workspace_lints() {
    for (member, _) in MAY_DEPEND_ON {
        let manifest = read(&root().join(member).join("Cargo.toml"));
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{member}/Cargo.toml"
        );
    }
    for member in [
        "crates/sip",
        "crates/bytecode",
        "crates/capture",
        "crates/media",
        "crates/hep",
        "crates/results",
        "compiler",
        "vm",
    ] {
        assert!(
            root().join(member).join("clippy.toml").exists(),
            "{member} must say which standard library calls it does without"
        );
    }
}

#[test]
fn unsafe_code_stays_in_runtime_sys() {
    // Spelled in two halves so that this file does not find itself.
    let keyword = concat!("un", "safe");
    let lint = concat!("un", "safe_code");
    let forbid = format!("#![forbid({lint})]");
    for file in files_with_extension("rs") {
        let name = relative(&file);
        if name.starts_with("runtime/src/sys/") || name == "runtime/src/sys.rs" {
            continue;
        }
        for (index, line) in read(&file).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            // A hyphen makes another word of it: content policies of pages have such.
            let words: Vec<&str> = code
                .split(|c: char| !c.is_alphanumeric() && !['_', '-'].contains(&c))
                .collect();
            let place = format!("{name}:{}", index + 1);
            assert!(
                !words.contains(&keyword),
                "{place}: belongs in runtime/src/sys"
            );
            if words.contains(&lint) {
                let lifted = name == "runtime/src/lib.rs" && !words.contains(&"allow");
                assert!(
                    line.trim() == forbid || lifted,
                    "{place}: the lint is lifted"
                );
            }
        }
    }
    for (member, _) in MAY_DEPEND_ON {
        if *member == "runtime" {
            continue;
        }
        let source = root().join(member).join("src");
        let crate_roots = ["lib.rs", "main.rs"]
            .map(|file| source.join(file))
            .into_iter()
            .filter(|file| file.exists());
        let mut found = 0;
        for crate_root in crate_roots {
            assert!(
                read(&crate_root).lines().any(|line| line == forbid),
                "{} lacks {forbid}",
                relative(&crate_root)
            );
            found += 1;
        }
        assert!(found > 0, "{member} has no crate root");
    }
}

#[test]
fn every_source_file_names_its_licence_and_its_purpose() {
    for file in files_with_extension("rs") {
        let text = read(&file);
        let mut lines = text.lines();
        let name = relative(&file);
        assert_eq!(
            lines.next(),
            Some("// SPDX-License-Identifier: AGPL-3.0-only"),
            "{name}"
        );
        let documented = lines
            .find(|line| !line.is_empty())
            .is_some_and(|line| line.starts_with("//!"));
        assert!(
            documented,
            "{name}: the second line says what the module is for"
        );
    }
}

#[test]
fn no_file_names_a_folder_of_somebody_s_machine() {
    let folders = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    for file in files() {
        let Ok(text) = fs::read_to_string(&file) else {
            // Binary: captures and the like.
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            for folder in folders {
                for (at, _) in line.match_indices(folder) {
                    let before = line[..at].chars().next_back();
                    // `/a/home/` and `https://host/home/` are something else.
                    let absolute = before.is_none_or(|c| {
                        !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_' | '}' | ']' | ')')
                    });
                    assert!(!absolute, "{}:{}: {line}", relative(&file), index + 1);
                }
            }
        }
    }
}

#[test]
fn licence_is_the_affero_general_public_licence() {
    let licence = read(&root().join("LICENSE"));
    for part in [
        "GNU AFFERO GENERAL PUBLIC LICENSE",
        "Version 3, 19 November 2007",
        "13. Remote Network Interaction",
        "END OF TERMS AND CONDITIONS",
    ] {
        assert!(licence.contains(part), "{part}");
    }
    for package in metadata().workspace_packages() {
        assert_eq!(
            package.license.as_deref(),
            Some("AGPL-3.0-only"),
            "{}",
            package.name
        );
        assert_eq!(
            package.publish.as_deref(),
            Some(&[][..]),
            "{}",
            package.name
        );
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

fn files_with_extension(extension: &str) -> Vec<PathBuf> {
    let found: Vec<PathBuf> = files()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == extension))
        .collect();
    assert!(!found.is_empty(), "the workspace has *.{extension} files");
    found
}

/// Every file of the repository that is not a build product.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root()];
    while let Some(folder) = todo.pop() {
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let entry = entry.expect("readable folder");
            let path = entry.path();
            let name = entry.file_name();
            let kind = entry.file_type().expect("has a type");
            if kind.is_dir() {
                let product = ["target", ".git", "artifacts", "coverage"]
                    .iter()
                    .any(|skipped| name == *skipped);
                if !product {
                    todo.push(path);
                }
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
