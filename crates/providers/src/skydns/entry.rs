//! Keys and values of SkyDNS: one key for each record.
//!
//! The key is the name's labels in reverse, and below them the FNV-1a hash of the data, as Federation v1 made it. `group`
//! keeps answers of a name apart from those of the names below it. `targetstrip` tells ExternalDNS that the last part of
//! the key is no label.
//!
//! federation pkg/dnsprovider/providers/coredns, external-dns provider/coredns, coredns plugin/etcd/msg

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_plan::federation::dns::record::{DomainName, RecordKey, RecordSet, RecordType};
use serde::{Deserialize, Serialize};

/// Time to live that CoreDNS answers for values without one, in seconds.
const DEFAULT_TTL: u32 = 300;

/// A value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(skip_serializing_if = "String::is_empty")]
    host: String,
    #[serde(skip_serializing_if = "is_zero")]
    port: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    ttl: u32,
    #[serde(skip_serializing_if = "is_zero")]
    targetstrip: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryRecord {
    pub(super) name: DomainName,
    pub(super) kind: RecordType,
    pub(super) ttl: u32,
    pub(super) target: String,
}

/// Key of a name, without the hash and without a final slash.
pub(super) fn path_of(prefix: &str, name: &DomainName) -> String {
    let labels = name.without_dot().rsplit('.');
    labels.fold(prefix.to_owned(), |path, label| path + "/" + label)
}

/// Key of a record.
pub(super) fn key_of(prefix: &str, name: &DomainName, target: &str) -> String {
    format!("{}/{:x}", path_of(prefix, name), fnv1a(target.trim_end_matches('.')))
}

/// Value of a record.
pub(super) fn value_of(set: &RecordSet, target: &str) -> String {
    let mut entry =
        Entry { ttl: set.ttl, targetstrip: 1, group: set.name.without_dot().to_owned(), ..Entry::default() };
    match set.kind {
        RecordType::Txt => entry.text = target.to_owned(),
        _ => entry.host = target.trim_end_matches('.').to_owned(),
    }
    // A struct of texts and numbers has a JSON form.
    serde_json::to_string(&entry).unwrap_or_default()
}

/// The records of a value: none if it is not understood, two if it has a host and a text.
pub(super) fn records(prefix: &str, key: &str, value: &str) -> Vec<EntryRecord> {
    let (Ok(entry), Some(name)) = (serde_json::from_str::<Entry>(value), name_of(prefix, key, value)) else {
        return Vec::new();
    };
    let ttl = if entry.ttl == 0 { DEFAULT_TTL } else { entry.ttl };
    let record = |kind, target| EntryRecord { name: name.clone(), kind, ttl, target };
    let mut found = Vec::new();
    if entry.port != 0 {
        let target = format!("0 0 {} {}", entry.port, entry.host);
        found.push(record(RecordType::Other("SRV".to_owned()), target));
    } else if !entry.host.is_empty() {
        found.push(match entry.host.parse::<IpAddr>() {
            Ok(address @ IpAddr::V4(_)) => record(RecordType::A, address.to_string()),
            Ok(address) => record(RecordType::Aaaa, address.to_string()),
            Err(_) => {
                let host = DomainName::parse(&entry.host);
                record(RecordType::Cname, host.map_or(entry.host, |host| host.as_str().to_owned()))
            }
        });
    }
    if !entry.text.is_empty() {
        found.push(record(RecordType::Txt, entry.text));
    }
    found
}

/// Name of a key: its group if the key is at or below the group's path, otherwise the labels of the key.
fn name_of(prefix: &str, key: &str, value: &str) -> Option<DomainName> {
    let entry: Entry = serde_json::from_str(value).ok()?;
    let group = DomainName::parse(&entry.group).ok();
    let is_below = |name: &DomainName| {
        key.strip_prefix(&path_of(prefix, name)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if let Some(group) = group.filter(is_below) {
        return Some(group);
    }
    let labels: Vec<&str> = key.strip_prefix(prefix)?.trim_matches('/').rsplit('/').collect();
    DomainName::parse(&labels.get(usize::try_from(entry.targetstrip).ok()?..)?.join(".")).ok()
}

/// Records as sets.
pub(super) fn sets(records: impl IntoIterator<Item = EntryRecord>) -> Vec<RecordSet> {
    let mut sets: BTreeMap<RecordKey, RecordSet> = BTreeMap::new();
    for EntryRecord { name, kind, ttl, target } in records {
        let set = RecordSet::new(name, kind, ttl, [target]);
        let targets = set.targets.clone();
        sets.entry(set.key()).or_insert(set).targets.extend(targets);
    }
    sets.into_values().collect()
}

fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn keys_are_those_of_federation_v1() {
        let base = "/skydns/com/example";
        for (at, target, want) in [
            ("nginx.myns.myfed.svc.example.com", "198.51.100.1", "/svc/myfed/myns/nginx/32965df3"),
            ("nginx.myns.myfed.svc.example.com", "203.0.113.3", "/svc/myfed/myns/nginx/93cf772c"),
            (
                "nginx.myns.myfed.svc.us-central1.example.com",
                "198.51.100.1",
                "/us-central1/svc/myfed/myns/nginx/32965df3",
            ),
            (
                "nginx.myns.myfed.svc.europe-west1-b.europe-west1.example.com",
                "nginx.myns.myfed.svc.europe-west1.example.com.",
                "/europe-west1/europe-west1-b/svc/myfed/myns/nginx/c07b91f",
            ),
        ] {
            assert_eq!(key_of("/skydns", &name(at), target), format!("{base}{want}"), "{at} {target}");
        }
    }

    #[test]
    fn values_of_all_writers_are_read() {
        let base = "/skydns/com/example/nginx";
        let cases = [
            ("Federation v1", "/ab12", r#"{"host":"192.0.2.1","ttl":180,"group":"nginx.example.com"}"#),
            ("ExternalDNS", "/ab12", r#"{"host":"192.0.2.1","ttl":180,"targetstrip":1}"#),
            ("plain", "", r#"{"host":"192.0.2.1","ttl":180}"#),
            ("a group of another place", "", r#"{"host":"192.0.2.1","ttl":180,"group":"g1"}"#),
        ];
        let want = RecordSet::new(name("nginx.example.com"), RecordType::A, 180, ["192.0.2.1"]);
        for (case, below, value) in cases {
            let found = sets(records("/skydns", &format!("{base}{below}"), value));
            assert_eq!(found.first(), Some(&want), "{case}");
            assert_eq!(found.len(), 1, "{case}");
        }
        for (value, kind) in [
            (r#"{"host":"2001:DB8::1"}"#, "AAAA 2001:db8::1"),
            (r#"{"host":"Web.example.net"}"#, "CNAME web.example.net."),
            (r#"{"text":"v=spf1"}"#, "TXT v=spf1"),
            (r#"{"host":"web","port":80}"#, "SRV 0 0 80 web"),
        ] {
            let found = sets(records("/skydns", base, value));
            assert_eq!(found[0].to_string(), format!("nginx.example.com. 300 {kind}"), "{value}");
        }
        assert_eq!(records("/skydns", base, "no JSON"), []);
    }

    #[test]
    fn what_is_written_is_read() {
        for (kind, target) in [
            (RecordType::A, "192.0.2.1"),
            (RecordType::Aaaa, "2001:db8::1"),
            (RecordType::Cname, "web.example.net."),
            (RecordType::Txt, "heritage=external-dns,external-dns/owner=myfed"),
        ] {
            let set = RecordSet::new(name("nginx.example.com"), kind, 60, [target]);
            let key = key_of("/skydns", &set.name, target);
            assert_eq!(sets(records("/skydns", &key, &value_of(&set, target))), [set], "{target}");
        }
    }
}
