//! The directions between the rooms (top-level modules) of this crate, read from its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may use. A room comes after those that it uses.
const ROOMS: &[(&str, &[&str])] = &[
    ("spdy", &[]),
    ("network", &[]),
    ("rights", &[]),
    ("state", &[]),
    ("config", &["network"]),
    ("control", &[]),
    ("programs", &["network"]),
    ("sandbox", &["network", "programs", "rights"]),
    ("pods", &["network", "programs", "sandbox"]),
    ("kubelet", &["network", "programs", "sandbox", "pods", "spdy"]),
    ("node", &["network", "programs", "sandbox", "pods", "kubelet"]),
    ("federation", &["config", "control", "network", "node", "rights", "sandbox", "state"]),
];

/// The files of `network`, in an order in which each uses only earlier ones.
const NETWORK: &[&str] = &[
    "address",
    "ranges",
    "address_pool",
    "search_path",
    "rules",
    "balance",
    "proxy",
    "namespaces",
    "error",
    "links",
    "routing",
    "connection",
    "datagram",
    "interface",
];

/// All source files, by the path of their module, without tests.
fn sources() -> BTreeMap<Vec<String>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories: Vec<PathBuf> = vec![root.clone()];
    let mut sources = BTreeMap::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let module = path.strip_prefix(&root).expect("below src").with_extension("");
            let module: Vec<String> =
                module.iter().map(|part| part.to_str().expect("UTF-8").to_owned()).collect();
            if module.last().is_some_and(|name| name != "tests" && name != "peer") {
                let text = fs::read_to_string(&path).expect("a source file");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                sources.insert(module, code);
            }
        }
    }
    sources
}

/// The names after `prefix` in the code.
fn used(code: &str, prefix: &str) -> BTreeSet<String> {
    let code =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let ends = code.split(prefix).skip(1);
    ends.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    for (module, code) in sources() {
        let room = module[0].as_str();
        if room == "lib" {
            continue;
        }
        let (_, allowed) = ROOMS.iter().find(|(name, _)| *name == room).expect("every room is listed");
        for other in used(&code, "crate::") {
            let is_room = ROOMS.iter().any(|(name, _)| *name == other);
            assert!(
                !is_room || other == room || allowed.contains(&other.as_str()),
                "{} uses {other}",
                module.join("/")
            );
        }
    }
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        let is_below = |other: &&str| ROOMS[..at].iter().any(|(name, _)| name == other);
        assert!(allowed.iter().all(is_below), "{room} comes before a room that it uses");
    }
}

#[test]
fn files_of_the_network_use_only_earlier_files() {
    for (module, code) in sources() {
        let [room, file, ..] = &module[..] else { continue };
        if room != "network" {
            continue;
        }
        let place = NETWORK.iter().position(|name| name == file).expect("every file is listed");
        for other in used(&code, "crate::network::") {
            let is_earlier = NETWORK[..=place].contains(&other.as_str());
            assert!(is_earlier, "{} uses network::{other}", module.join("/"));
        }
    }
}
