//! Record sets in the form of Cloud DNS.

use portolan_plan::federation::dns::record::{DomainName, RecordSet, RecordType};
use serde_json::{Value, json};

use crate::presentation::{target, value};

/// A set of a managed zone; `None` if Portolan cannot have its name.
pub(super) fn read(set: &Value) -> Option<RecordSet> {
    let name = DomainName::parse(set["name"].as_str()?).ok()?;
    let kind = RecordType::of(set["type"].as_str()?);
    let values = set["rrdatas"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // A set of another writer, which answers by place, weight or health; never written.
    let policy = set.get("routingPolicy").map(|policy| format!("routing policy {policy}"));
    let targets: Vec<String> = values.map(|value| target(&kind, value)).chain(policy).collect();
    let ttl = set["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_default();
    Some(RecordSet::new(name, kind, ttl, targets))
}

/// The set as Cloud DNS takes it.
pub(super) fn write(set: &RecordSet) -> Value {
    let values: Vec<String> = set.targets.iter().map(|target| value(&set.kind, target)).collect();
    json!({ "name": set.name.as_str(), "type": set.kind.as_str(), "ttl": set.ttl, "rrdatas": values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let name = DomainName::parse("nginx.example.com").unwrap();
        let set = |kind, targets: &[&str]| RecordSet::new(name.clone(), kind, 60, targets.iter().copied());
        for (set, rrdatas) in [
            (set(RecordType::A, &["192.0.2.1", "192.0.2.2"]), json!(["192.0.2.1", "192.0.2.2"])),
            (set(RecordType::Aaaa, &["2001:db8::1"]), json!(["2001:db8::1"])),
            (set(RecordType::Cname, &["web.example.net."]), json!(["web.example.net."])),
            (
                set(RecordType::Txt, &["heritage=external-dns,external-dns/owner=\"my\\fed\""]),
                json!(["\"heritage=external-dns,external-dns/owner=\\\"my\\\\fed\\\"\""]),
            ),
        ] {
            let written = write(&set);
            assert_eq!(written["rrdatas"], rrdatas, "{set}");
            assert_eq!(written["name"], "nginx.example.com.");
            assert_eq!(read(&written), Some(set));
        }
    }

    #[test]
    fn sets_of_others_are_read_so_that_they_are_left_alone() {
        let policy = json!({ "name": "geo.example.com.", "type": "A", "ttl": 5,
            "routingPolicy": { "geo": { "items": [{ "location": "us-east1", "rrdatas": ["192.0.2.1"] }] } } });
        let set = read(&policy).expect("a set");
        assert!(set.targets.iter().all(|target| target.starts_with("routing policy ")), "{set}");
        let mail = json!({ "name": "example.com.", "type": "MX", "ttl": 5, "rrdatas": ["10 mail"] });
        assert_eq!(read(&mail).expect("a set").kind, RecordType::Other("MX".to_owned()));
        assert_eq!(read(&json!({ "name": "a b.example.com.", "type": "A" })), None);
    }
}
