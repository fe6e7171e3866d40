//! `pause`: does nothing until it is told to end. Images that nobody plays run the same way.

use crate::programs::{Executable, Image, Process, Running};

pub(crate) const IMAGE: Image = Image {
    repositories: &["pause"],
    entrypoint: &["/pause"],
    command: &[],
    executables: &[Executable { path: "/pause", run }],
};

pub(crate) fn run(process: Process) -> Running {
    Box::pin(async move {
        process.stopping.cancelled().await;
        0
    })
}
