//! A gate in front of tasks: while it is closed they are not polled, as a process does not run between SIGSTOP and SIGCONT.
//!
//! Clocks and sockets go on: timers are over and bytes wait in the kernel when the gate opens. A task that waits at a gate
//! can be dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use parking_lot::Mutex;

/// A gate, open at first. Clones share state.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<State>);

#[derive(Debug, Default)]
struct State {
    closed: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Gate {
    /// Stops the tasks behind it at their next await.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }

    /// Lets them go on.
    pub fn open(&self) {
        self.0.closed.store(false, Ordering::Release);
        let waiting = std::mem::take(&mut *self.0.waiting.lock());
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll_open(&self, context: &Context<'_>) -> Poll<()> {
        if !self.0.closed.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut waiting = self.0.waiting.lock();
        // Opened since: `open` may have taken the list before it was locked here.
        if !self.0.closed.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        waiting.push(context.waker().clone());
        Poll::Pending
    }
}

/// A task behind gates.
pub(super) struct Gated<F> {
    pub(super) gates: Box<[Gate]>,
    /// On the heap: the task around it would have room for it three times, for as long as it runs.
    pub(super) task: Pin<Box<F>>,
}

impl<F: Future> Future for Gated<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        for gate in &self.gates {
            ready!(gate.poll_open(context));
        }
        self.task.as_mut().poll(context)
    }
}
