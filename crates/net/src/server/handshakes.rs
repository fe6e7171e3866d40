//! The order of TLS handshakes when more clients want one than the cores can compute.
//!
//! A step of a handshake needs a permit while it computes, not while it waits for its client. Steps that wait for a permit
//! get it from both ends of the queue in turn: the oldest, the newest, the oldest. So a burst of a thousand clients delays
//! neither the requests on open connections nor a client that comes after it until all of them are served, and each of
//! the burst gets its turn.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::sync::oneshot::{self, Receiver, Sender};

/// The permits of a server. Clones share state.
#[derive(Clone)]
pub(super) struct Handshakes(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// The oldest first.
    waiting: VecDeque<Sender<Permit>>,
    /// Whether the newest gets the next permit.
    is_newest_next: bool,
}

/// The right to compute one step. Another step gets it when this is dropped.
struct Permit(Handshakes);

/// A handshake that needs a permit for each step.
pub(super) struct Stepwise<F> {
    handshakes: Handshakes,
    handshake: Pin<Box<F>>,
    awaited: Option<Receiver<Permit>>,
}

impl Handshakes {
    /// At most `permits` steps compute at the same time.
    pub(super) fn new(permits: usize) -> Self {
        let state = State { free: permits.max(1), waiting: VecDeque::new(), is_newest_next: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The same handshake, in its turn.
    pub(super) fn stepwise<F: Future>(&self, handshake: F) -> Stepwise<F> {
        Stepwise { handshakes: self.clone(), handshake: Box::pin(handshake), awaited: None }
    }

    /// A permit, or where it will arrive.
    fn permit(&self) -> Result<Permit, Receiver<Permit>> {
        let mut state = self.0.lock();
        if state.free > 0 {
            state.free -= 1;
            return Ok(Permit(self.clone()));
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.push_back(sender);
        Err(receiver)
    }
}

impl State {
    /// The waiting step that is next. Steps of handshakes that were given up are left out.
    fn next(&mut self) -> Option<Sender<Permit>> {
        loop {
            let is_newest_next = self.is_newest_next;
            let next = if is_newest_next { self.waiting.pop_back() } else { self.waiting.pop_front() }?;
            if !next.is_closed() {
                self.is_newest_next = !is_newest_next;
                return Some(next);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        let next = state.next();
        if next.is_none() {
            state.free += 1;
        }
        drop(state);
        if let Some(next) = next {
            // If the handshake has just been given up, the permit comes back, is dropped here, and goes to another.
            let _ = next.send(Permit(self.0.clone()));
        }
    }
}

impl<F: Future> Future for Stepwise<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let permit = loop {
            let Some(awaited) = &mut this.awaited else {
                match this.handshakes.permit() {
                    Ok(permit) => break permit,
                    Err(awaited) => this.awaited = Some(awaited),
                }
                continue;
            };
            let arrived = ready!(Pin::new(awaited).poll(context));
            this.awaited = None;
            if let Ok(permit) = arrived {
                break permit;
            }
        };
        let step = this.handshake.as_mut().poll(context);
        drop(permit);
        step
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn queue(handshakes: &Handshakes, count: usize) -> Vec<Receiver<Permit>> {
        (0..count).map(|_| handshakes.permit().err().expect("none is free")).collect()
    }

    /// The waiting step that has got the permit, and the permit.
    fn arrived(waiting: &mut [Receiver<Permit>]) -> Option<(usize, Permit)> {
        waiting.iter_mut().enumerate().find_map(|(index, receiver)| Some((index, receiver.try_recv().ok()?)))
    }

    #[test]
    fn the_oldest_and_the_newest_get_permits_in_turn() {
        let handshakes = Handshakes::new(1);
        let mut permit = handshakes.permit().ok();
        let mut waiting = queue(&handshakes, 5);
        let mut order = Vec::new();
        while permit.take().is_some() {
            let Some((index, next)) = arrived(&mut waiting) else { break };
            order.push(index);
            permit = Some(next);
        }
        assert_eq!(order, [0, 4, 1, 3, 2]);
        assert!(handshakes.permit().is_ok(), "the last one is free again");
    }

    #[test]
    fn permits_of_handshakes_that_are_given_up_go_to_others() {
        let handshakes = Handshakes::new(1);
        let permit = handshakes.permit().ok();
        let mut waiting = queue(&handshakes, 3);
        drop(waiting.remove(0));
        drop(permit);
        // The second has the permit and does not use it.
        drop(waiting.remove(0));
        let (index, _permit) = arrived(&mut waiting).expect("the third has it");
        assert_eq!(index, 0);
    }

    #[tokio::test]
    async fn a_handshake_that_waits_for_its_client_has_no_permit() {
        let handshakes = Handshakes::new(1);
        let silent = tokio::spawn(handshakes.stepwise(pending::<()>()));
        tokio::task::yield_now().await;
        assert_eq!(handshakes.stepwise(async { 7 }).await, 7);
        silent.abort();
    }
}
