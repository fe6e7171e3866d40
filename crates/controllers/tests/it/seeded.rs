//! Seeded sequences, and controllers and agents that are killed at any await.

use std::env;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::federation::Federation;

/// A random sequence (splitmix64) that is the same for the same seed everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        usize::try_from(mixed % end as u64).expect("below a usize")
    }
}

/// Controllers, or an agent, in a runtime of their own, which ends without letting a pass finish.
pub(crate) struct Process(Option<Runtime>);

/// Time for the threads of a runtime to notice its end.
const END_TIMEOUT: Duration = Duration::from_secs(60);

impl Process {
    pub(crate) fn of_hub(set: &Federation) -> Self {
        Self::start(|| drop(set.run_controllers()))
    }

    pub(crate) fn of_agent(set: &Federation, cluster: &str) -> Self {
        Self::start(|| drop(set.run_agent(cluster)))
    }

    fn start(program: impl FnOnce()) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let entered = runtime.enter();
        program();
        drop(entered);
        Self(Some(runtime))
    }

    /// Ends it at its present await. Afterwards nothing of it runs any more, as after SIGKILL.
    pub(crate) async fn kill(&mut self) {
        let Some(runtime) = self.0.take() else { return };
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(END_TIMEOUT));
        ended.await.expect("the runtime ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A number from the environment.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}
