//! NOTIFY to secondary name servers: at most one message is on its way to each of them for each zone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_dns::TransactionKey;
use portolan_dns::public::notify::notify;
use portolan_net::Shutdown;
use portolan_plan::federation::dns::record::DomainName;

/// The key that signs messages, if the zone has one.
type Key = Option<TransactionKey>;

/// A zone, and a secondary of it.
type Place = (DomainName, SocketAddr);

/// Secondaries that are being told, by zone and address. A further change meanwhile is noted with the key, and told afterwards: one
/// message stands for all changes before it.
#[derive(Debug, Clone)]
pub(super) struct Notifier {
    running: Arc<Mutex<BTreeMap<Place, Option<Key>>>>,
    scope: Shutdown,
}

impl Notifier {
    /// The messages end with `scope`.
    pub(super) fn new(scope: Shutdown) -> Self {
        Self { running: Arc::default(), scope }
    }

    /// Tells a secondary that a zone has changed, now or when the message that is on its way is answered.
    pub(super) fn tell(&self, zone: &DomainName, secondary: SocketAddr, key: Key) {
        let place = (zone.clone(), secondary);
        {
            let mut running = self.running.lock();
            if let Some(next) = running.get_mut(&place) {
                *next = Some(key);
                return;
            }
            running.insert(place.clone(), None);
        }
        let notifier = self.clone();
        // The scope ends it; nothing waits for it.
        let _handle = self.scope.spawn(async move {
            let mut key = key;
            loop {
                if let Err(error) = notify(&place.0, place.1, key.as_ref()).await {
                    tracing::warn!(zone = %place.0, %error, "a secondary name server was not told of a change");
                }
                match notifier.next(&place) {
                    Some(next) => key = next,
                    None => return,
                }
            }
        });
    }

    /// The key for the next message to a secondary; `None` if nothing has changed since the last one.
    fn next(&self, place: &Place) -> Option<Key> {
        let mut running = self.running.lock();
        let next = running.get_mut(place).and_then(Option::take);
        if next.is_none() {
            running.remove(place);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn many_changes_are_two_messages_to_a_secondary_that_is_slow() {
        let secondary = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        secondary.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let address = secondary.local_addr().expect("an address");
        let scope = Shutdown::new();
        let (notifier, zone) =
            (Notifier::new(scope.clone()), DomainName::parse("example.com").expect("a name"));
        (0..1000).for_each(|_| notifier.tell(&zone, address, None));
        assert_eq!(notifier.running.lock().len(), 1);
        let answer = |secondary: &UdpSocket| {
            let mut message = [0; 512];
            let (length, from) = secondary.recv_from(&mut message).expect("a message");
            // The flag QR makes an answer of it.
            message[2] |= 0x80;
            secondary.send_to(&message[..length], from).expect("an answer");
        };
        let told = tokio::task::spawn_blocking(move || {
            answer(&secondary);
            answer(&secondary);
            secondary
        });
        let secondary = told.await.expect("two messages");
        let is_done = async {
            while !notifier.running.lock().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), is_done).await.expect("nothing is on its way");
        secondary.set_nonblocking(true).expect("a flag");
        assert!(secondary.recv_from(&mut [0; 512]).is_err(), "there is no third message");
        scope.request();
    }
}
