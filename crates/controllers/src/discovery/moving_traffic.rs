//! Traffic of services in one member that moves to and away from exporters step by step. `portolan_plan::discovery::transition`
//! decides the steps.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use portolan_plan::discovery::transition::Transitions;
use portolan_plan::discovery::usage::Allotment;
use portolan_runtime::Outcome;

/// The services with a transition time, each with that time. Limited by the number of services with exporters.
#[derive(Default)]
pub(super) struct MovingTraffic(Mutex<BTreeMap<ObjectKey, (Duration, Transitions)>>);

impl MovingTraffic {
    /// The share of each exporter that is used at `now`, in percent. `allotted` computes what is to be done with the exporters in
    /// the end; it is not called without a transition time.
    pub(super) fn step(
        &self,
        service: &ObjectKey,
        time: Duration,
        now: Duration,
        allotted: impl FnOnce() -> BTreeMap<String, Allotment>,
    ) -> BTreeMap<String, u32> {
        let allotted = if time.is_zero() { BTreeMap::new() } else { allotted() };
        if allotted.is_empty() {
            self.forget(service);
            return BTreeMap::new();
        }
        let mut services = self.0.lock();
        let (known_time, transitions) = services.entry(service.clone()).or_default();
        *known_time = time;
        transitions.step(&allotted, time, now)
    }

    /// The outcome of a pass without an error: again at the next step.
    pub(super) fn outcome(&self, service: &ObjectKey, now: Duration) -> Outcome {
        let services = self.0.lock();
        let next = services.get(service).and_then(|(time, transitions)| transitions.next_step(*time, now));
        next.map_or(Outcome::Done, Outcome::RequeueAfter)
    }

    /// Forgets a service that is not imported any more.
    pub(super) fn forget(&self, service: &ObjectKey) {
        self.0.lock().remove(service);
    }
}
