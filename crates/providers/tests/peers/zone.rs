//! The zone that the peers serve, and changes of it.

use portolan_dns::TransactionKey;
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet, RecordType, Write};

/// Secret of the keys, in base64.
pub(crate) const SECRET: &str = "cG9ydG9sYW4tdGVzdHMtb25seS1zZWNyZXQtMzItYiE=";

/// A zone with records that other software wrote.
pub(crate) const ZONE_FILE: &str = "\
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
www IN TXT \"v=spf1 -all\"
mail IN MX 10 www
";

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).expect("a name")
}

pub(crate) fn zone() -> DomainName {
    name("example.com")
}

pub(crate) fn key(name: &str, secret: &str) -> Option<TransactionKey> {
    Some(TransactionKey::new(name, "hmac-sha256", secret).expect("a key"))
}

pub(crate) fn set(at: &str, kind: RecordType, targets: &[&str]) -> RecordSet {
    RecordSet::new(name(at), kind, 180, targets.iter().copied())
}

/// A change that puts a new set with its mark.
pub(crate) fn creation(set: RecordSet) -> Change {
    let mark = mark(&set);
    let writes = [mark, set.clone()].map(|set| Write::Put { set, before: None });
    Change { name: set.name, writes: writes.into() }
}

/// The mark of a set.
pub(crate) fn mark(of: &RecordSet) -> RecordSet {
    let at = format!("{}-{}", of.kind.as_str().to_lowercase(), of.name);
    set(&at, RecordType::Txt, &["heritage=external-dns,external-dns/owner=myfed"])
}

/// A change that deletes a set with its mark.
pub(crate) fn deletion(set: RecordSet) -> Change {
    let mark = mark(&set);
    Change { name: set.name.clone(), writes: vec![Write::Delete(set), Write::Delete(mark)] }
}

/// Record sets as text, sorted.
pub(crate) fn lines(sets: &[RecordSet]) -> Vec<String> {
    let mut lines: Vec<String> = sets.iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}
