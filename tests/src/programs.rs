//! Finding the programs under test, and signalling them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// The `portolan` binary of the build that these tests belong to.
///
/// # Panics
/// When it has not been built: `cargo xtask test` builds it first.
pub fn portolan() -> PathBuf {
    // Test executables live in target/<profile>/deps, the binary one folder up.
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests run from target/<profile>/deps");
    let binary = folder.join("portolan");
    assert!(binary.is_file(), "{} is missing: run `cargo build -p portolan` first", binary.display());
    binary
}

/// The program that runs `portolan server`: [`portolan`], or the one that `PORTOLAN_SERVER` names, such as a build without
/// the playground.
pub fn server() -> PathBuf {
    env::var_os("PORTOLAN_SERVER").map_or_else(portolan, PathBuf::from)
}

/// One of kubectl, kube-apiserver, kube-controller-manager, etcd and etcd-3.4.
///
/// # Panics
/// When neither `KUBEBUILDER_ASSETS` nor `PATH` has it: `cargo xtask tools` provides them.
pub fn kubernetes(name: &str) -> PathBuf {
    let assets = env::var_os("KUBEBUILDER_ASSETS").into_iter().map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = assets.chain(env::split_paths(&path));
    folders.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file())).unwrap_or_else(|| {
        panic!("{name} is missing: run `cargo xtask tools` and set KUBEBUILDER_ASSETS as it prints")
    })
}

/// The manifests of `examples/`.
pub fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    assert!(path.exists(), "{} does not exist", path.display());
    path
}

/// Sends a signal by its name without `SIG`.
///
/// # Panics
/// When the program has ended.
pub fn send_signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.is_ok_and(|status| status.success()), "cannot send SIG{name} to {child:?}");
}
