//! [`Interrupt`]: tells long computations that their result is not needed any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_object::Status;

/// Set when the client of a request has left, or its time is over. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// Sets an [`Interrupt`] when it is dropped.
#[derive(Debug)]
pub(crate) struct InterruptOnDrop(Interrupt);

impl Interrupt {
    /// Whether to give up.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The same, for the crate that computes.
    pub(crate) fn for_computations(&self) -> portolan_object::Interrupt {
        let this = self.clone();
        portolan_object::Interrupt::new(move || this.is_set())
    }

    /// Gives up when it is set.
    ///
    /// # Errors
    /// 504, for a client that still waits.
    pub(crate) fn check(&self) -> Result<(), Status> {
        if self.is_set() { Err(timed_out()) } else { Ok(()) }
    }

    /// A guard that sets it when the future that holds the guard is dropped.
    pub(crate) fn on_drop(&self) -> InterruptOnDrop {
        InterruptOnDrop(self.clone())
    }
}

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// 504 as kube-apiserver words it.
pub(crate) fn timed_out() -> Status {
    Status::new(504, "Timeout", "Timeout: request did not complete within the allotted timeout")
}
