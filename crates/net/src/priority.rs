//! Priority of threads.

/// Steps by which a thread that computes is nicer than the threads that answer; see nice(2). It then gets about a third of
/// a core while one of those wants the core too, and all of it otherwise.
#[cfg(target_os = "linux")]
const STEPS: i32 = 5;

/// Lowers the priority of the calling thread. Where that is not possible, the thread keeps its priority.
pub fn lower() {
    // On Linux the value belongs to the thread, elsewhere to the process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(STEPS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
