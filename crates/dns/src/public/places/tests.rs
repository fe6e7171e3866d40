//! Regions of clients, with a small database that the test writes (MaxMind DB file format 2.0).

use std::collections::BTreeMap;

use super::*;

/// A value of the format.
enum Value {
    Text(&'static str),
    Double(f64),
    Short(u16),
    Number(u32),
    Long(u64),
    Map(Vec<(&'static str, Value)>),
    EmptyList,
}

fn control(kind: u8, length: usize, out: &mut Vec<u8>) {
    let length = u8::try_from(length).expect("short values");
    assert!(length < 29, "longer values have another form");
    match kind {
        1..=7 => out.push(kind << 5 | length),
        kind => out.extend([length, kind - 7]),
    }
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Double(number) => {
            control(3, 8, out);
            out.extend(number.to_be_bytes());
        }
        Value::Short(number) => {
            control(5, 2, out);
            out.extend(number.to_be_bytes());
        }
        Value::Number(number) => {
            control(6, 4, out);
            out.extend(number.to_be_bytes());
        }
        Value::Long(number) => {
            control(9, 8, out);
            out.extend(number.to_be_bytes());
        }
        Value::EmptyList => control(11, 0, out),
        Value::Map(entries) => {
            control(7, entries.len(), out);
            for (key, value) in entries {
                encode(&Value::Text(key), out);
                encode(value, out);
            }
        }
    }
}

/// A database of IPv4 networks, each by its first bits as text.
fn database(networks: &[(&str, Value)]) -> Vec<u8> {
    // The inner nodes of the tree, by the bits that lead to them.
    let mut nodes: BTreeMap<String, usize> = BTreeMap::from([(String::new(), 0)]);
    for (bits, _) in networks {
        for length in 1..bits.len() {
            let next = nodes.len();
            nodes.entry(bits[..length].to_owned()).or_insert(next);
        }
    }
    let (mut data, mut leaves) = (Vec::new(), BTreeMap::new());
    for (bits, value) in networks {
        leaves.insert((*bits).to_owned(), data.len());
        encode(value, &mut data);
    }
    let mut order: Vec<(&String, &usize)> = nodes.iter().collect();
    order.sort_by_key(|(_, number)| **number);
    let mut file = Vec::new();
    for (bits, _) in &order {
        for bit in ['0', '1'] {
            let child = format!("{bits}{bit}");
            let record = match (nodes.get(&child), leaves.get(&child)) {
                (Some(node), _) => *node,
                (None, Some(offset)) => nodes.len() + 16 + offset,
                (None, None) => nodes.len(),
            };
            file.extend(&u32::try_from(record).expect("small").to_be_bytes()[1..]);
        }
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1)),
        ("database_type", Value::Text("Test")),
        ("description", Value::Map(vec![("en", Value::Text("Test"))])),
        ("ip_version", Value::Short(4)),
        ("languages", Value::EmptyList),
        ("node_count", Value::Number(u32::try_from(nodes.len()).expect("small"))),
        ("record_size", Value::Short(24)),
    ]);
    encode(&metadata, &mut file);
    file
}

fn place(country: &'static str, continent: &'static str, at: Option<(f64, f64)>) -> Value {
    let mut entries = vec![
        ("country", Value::Map(vec![("iso_code", Value::Text(country))])),
        ("continent", Value::Map(vec![("code", Value::Text(continent))])),
    ];
    if let Some((latitude, longitude)) = at {
        let location = vec![("latitude", Value::Double(latitude)), ("longitude", Value::Double(longitude))];
        entries.push(("location", Value::Map(location)));
    }
    Value::Map(entries)
}

/// 0.0.0.0/2 in Berlin, 64.0.0.0/3 in Lima, 128.0.0.0/2 in a country of Africa, nothing about the others.
fn networks() -> Vec<(&'static str, Value)> {
    vec![
        ("00", place("DE", "EU", Some((52.5, 13.4)))),
        ("010", place("PE", "SA", Some((-12.0, -77.0)))),
        ("10", place("KE", "AF", None)),
    ]
}

fn regions() -> Vec<PlacedRegion> {
    let coordinates = |text: &str| text.parse().ok();
    let codes = |all: &[&str]| all.iter().map(|&code| code.to_owned()).collect::<Vec<_>>();
    vec![
        PlacedRegion::new("us", &[], &codes(&["NA"]), coordinates("38.9,-77.5")),
        PlacedRegion::new("EU-West", &codes(&["IE"]), &codes(&["EU"]), coordinates("53.3,-6.3")),
        PlacedRegion::new("eu-central", &codes(&["de", "AT"]), &codes(&["EU", "AF"]), None),
    ]
}

#[test]
fn the_nearest_healthy_region_is_that_of_the_country_then_the_continent_then_by_distance() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("places.mmdb");
    fs::write(&file, database(&networks())).expect("written");
    let places = Places { database: PlaceDatabase::open(&file).expect("a database"), regions: regions() };
    let nearest = |address: &str, healthy: &[&str]| {
        let of = |label: &[u8]| {
            let name = String::from_utf8_lossy(&label[1..]).into_owned();
            healthy.contains(&name.as_str()).then_some(name)
        };
        places.nearest(address.parse().expect("an address"), of)
    };
    let all = ["us", "eu-west", "eu-central"];
    for (address, healthy, want, bits) in [
        ("10.0.0.1", &all[..], "eu-central", 2),
        ("10.0.0.1", &["us", "eu-west"], "eu-west", 2),
        ("10.0.0.1", &["us"], "us", 2),
        ("10.0.0.1", &[], "", 2),
        ("70.0.0.1", &all, "us", 3),
        ("70.0.0.1", &["eu-west", "eu-central"], "eu-west", 3),
        ("130.0.0.1", &all, "eu-central", 2),
        // Without coordinates of the client nothing can be said about distances.
        ("130.0.0.1", &["us"], "", 2),
        ("200.0.0.1", &all, "", 2),
    ] {
        let want = (Some(want.to_owned()).filter(|want| !want.is_empty()), bits);
        assert_eq!(nearest(address, healthy), want, "{address} {healthy:?}");
    }
}

#[test]
fn a_new_file_is_read_and_a_damaged_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("places.mmdb");
    fs::write(&file, "no database").expect("written");
    let error = PlaceDatabase::open(&file).expect_err("no database").to_string();
    assert!(error.contains("no database in MaxMind's format"), "{error}");
    fs::write(&file, database(&networks())).expect("written");
    let database_of = PlaceDatabase::open(&file).expect("a database");
    let country = |address: &str| {
        let (place, _) = database_of.find(address.parse().expect("an address"));
        place.and_then(|place| place.country)
    };
    assert!(!database_of.refresh().expect("no change"));
    assert_eq!(country("10.0.0.1"), Some(*b"DE"));
    fs::write(&file, "damaged").expect("written");
    assert!(database_of.refresh().is_err());
    assert!(!database_of.refresh().expect("said once"), "the same file is not read twice");
    assert_eq!(country("10.0.0.1"), Some(*b"DE"), "the last good one stays");
    let mut changed = networks();
    changed[0].1 = place("FR", "EU", None);
    fs::write(&file, database(&changed)).expect("written");
    assert!(database_of.refresh().expect("a database"));
    assert_eq!(country("10.0.0.1"), Some(*b"FR"));
}

#[test]
fn coordinates_are_degrees() {
    for (text, is_good) in [
        ("50.11,8.68", true),
        ("-33.9, 151.2", true),
        ("90,180", true),
        ("91,0", false),
        ("0,181", false),
        ("50.11", false),
        ("north,east", false),
        ("NaN,0", false),
    ] {
        assert_eq!(text.parse::<Coordinates>().is_ok(), is_good, "{text}");
    }
}
