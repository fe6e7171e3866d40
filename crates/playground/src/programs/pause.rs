//! `pause`: does nothing until it is asked to end. Also used for unknown images.

use crate::programs::{Executable, Image, Process, Running};

pub(crate) const IMAGE: Image = Image {
    repositories: &["pause"],
    entrypoint: &["/pause"],
    command: &[],
    executables: &[Executable { path: "/pause", run }],
    base: &[],
};

pub(crate) fn run(process: Process) -> Running {
    Box::pin(async move {
        process.stopping.cancelled().await;
        0
    })
}
