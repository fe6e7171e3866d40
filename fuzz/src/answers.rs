//! What the clients read: kubeconfigs, answers of API servers, and the output of the probe pod.

use std::io::Write as _;

use portolan_plan::discovery::why::probe;
use portolan_runtime::client::fuzzing::read_answer;
use portolan_runtime::client::{KubeconfigContext, KubeconfigFiles};

/// A kubeconfig file.
pub(crate) fn kubeconfig(data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("a temporary file");
    let files = KubeconfigFiles::Named(file.path().to_owned());
    let Ok(context) = futures::executor::block_on(KubeconfigContext::load(&files, None)) else { return };
    context.ca_pem();
    let _ = context.entry();
}

/// A line of a watch, a list, or an object.
pub(crate) fn api_answer(data: &[u8]) {
    read_answer(data);
}

/// The output of the probe pod of `portolan why`.
pub(crate) fn probe_output(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    probe::read(text);
}
