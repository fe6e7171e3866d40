//! Which job runs next: flows take turns, and none of them takes all threads.
//!
//! Pure: the caller starts the jobs. A flow is what one user sends.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The jobs of one user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    /// Name of the user.
    pub(crate) user: Arc<str>,
    /// Whether it may take all threads and the whole queue.
    pub(crate) is_exempt: bool,
}

/// Bounds of a [`Queue`].
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLimits {
    /// Jobs that wait.
    pub(super) waiting: usize,
    /// Jobs of one flow that wait.
    pub(super) waiting_per_flow: usize,
    /// Jobs of one flow that run at the same time.
    pub(super) running_per_flow: usize,
}

/// The queue, or the part of it that the flow may use, is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Jobs that wait, and how many run.
#[derive(Debug)]
pub(super) struct Queue<J> {
    limits: QueueLimits,
    waiting: HashMap<Flow, VecDeque<J>>,
    /// Flows with waiting jobs, in the order in which they get a thread.
    turns: VecDeque<Flow>,
    running: HashMap<Flow, usize>,
    length: usize,
}

impl<J> Queue<J> {
    pub(super) fn new(limits: QueueLimits) -> Self {
        let (waiting, turns, running) = (HashMap::new(), VecDeque::new(), HashMap::new());
        Self { limits, waiting, turns, running, length: 0 }
    }

    /// The number of jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Adds a job.
    pub(super) fn push(&mut self, flow: &Flow, job: J) -> Result<(), Full> {
        let own = self.waiting.get(flow).map_or(0, VecDeque::len);
        let is_full = self.length >= self.limits.waiting || own >= self.limits.waiting_per_flow;
        if is_full && !flow.is_exempt {
            return Err(Full);
        }
        if own == 0 {
            self.turns.push_back(flow.clone());
        }
        self.waiting.entry(flow.clone()).or_default().push_back(job);
        self.length += 1;
        Ok(())
    }

    /// Takes the next job, of a flow that may have one more. The caller calls [`Queue::finished`] when it has ended.
    pub(super) fn pop(&mut self) -> Option<(Flow, J)> {
        let limit = self.limits.running_per_flow;
        let may_run = |flow: &Flow| flow.is_exempt || self.running.get(flow).is_none_or(|own| *own < limit);
        let turn = self.turns.iter().position(may_run)?;
        let flow = self.turns.remove(turn)?;
        let jobs = self.waiting.get_mut(&flow)?;
        let job = jobs.pop_front()?;
        match jobs.is_empty() {
            true => drop(self.waiting.remove(&flow)),
            false => self.turns.push_back(flow.clone()),
        }
        self.length -= 1;
        *self.running.entry(flow.clone()).or_default() += 1;
        Some((flow, job))
    }

    /// Notes the end of a job.
    pub(super) fn finished(&mut self, flow: &Flow) {
        if let Some(own) = self.running.get_mut(flow) {
            *own -= 1;
            if *own == 0 {
                self.running.remove(flow);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: QueueLimits = QueueLimits { waiting: 5, waiting_per_flow: 3, running_per_flow: 2 };

    fn flow(user: &str) -> Flow {
        Flow { user: user.into(), is_exempt: user == "admin" }
    }

    fn pop(queue: &mut Queue<u32>) -> Option<(String, u32)> {
        queue.pop().map(|(flow, job)| (flow.user.to_string(), job))
    }

    #[test]
    fn flows_take_turns() {
        let mut queue = Queue::new(LIMITS);
        for (user, job) in [("eve", 1), ("eve", 2), ("eve", 3), ("bob", 4)] {
            queue.push(&flow(user), job).expect("room");
        }
        let order: Vec<_> = std::iter::from_fn(|| pop(&mut queue)).map(|(_, job)| job).collect();
        assert_eq!(order, [1, 4, 2], "and the third of eve waits for one of hers to end");
        queue.finished(&flow("eve"));
        assert_eq!(pop(&mut queue), Some(("eve".to_owned(), 3)));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn one_flow_leaves_room_for_others() {
        let mut queue = Queue::new(LIMITS);
        for job in 0..3 {
            queue.push(&flow("eve"), job).expect("room");
        }
        assert_eq!(queue.push(&flow("eve"), 3), Err(Full));
        for job in 0..2 {
            queue.push(&flow("bob"), job).expect("room");
        }
        assert_eq!(queue.push(&flow("bob"), 2), Err(Full), "the whole queue");
        assert_eq!(queue.push(&flow("admin"), 0), Ok(()));
    }

    #[test]
    fn an_exempt_flow_may_take_all_threads() {
        let mut queue = Queue::new(LIMITS);
        for job in 0..5 {
            queue.push(&flow("admin"), job).expect("exempt");
        }
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), 5);
    }
}
