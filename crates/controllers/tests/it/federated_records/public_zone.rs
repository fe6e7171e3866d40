//! What the tests need of a public zone, whatever serves it.

use std::time::{Duration, Instant};

use serde_json::Value;

/// Time for a record to appear; generous for loaded machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// The zone `example.com` with the address 192.0.2.80 of `www`, which other software wrote.
pub(super) trait PublicZone {
    /// The provider of a Federation, with its credentials in this Secret.
    fn provider(&self, secret: &str) -> Value;

    /// The texts of that Secret.
    fn secret(&self) -> Value;

    /// What a client finds at a name, as `dig +short` prints it, sorted: the chain of aliases and the addresses.
    async fn answer(&self, name: &str) -> Vec<String>;
}

/// Waits until clients find this at a name.
pub(super) async fn when(zone: &impl PublicZone, name: &str, want: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = zone.answer(name).await;
        if found == want {
            return;
        }
        assert!(Instant::now() < deadline, "{name} has {found:?} instead of {want:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
