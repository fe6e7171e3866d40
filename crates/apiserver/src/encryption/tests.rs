use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use portolan_store::{TransformedValue, ValueTransformer as _};
use serde_json::{Value, json};

use super::{Encryption, EncryptionConfiguration};

const SECRET: &str = "core/secrets/default/s";

fn key(name: &str, byte: u8, length: usize) -> Value {
    json!({ "name": name, "secret": STANDARD.encode(vec![byte; length]) })
}

fn provider(name: &str, keys: &[Value]) -> Value {
    json!({ name: { "keys": keys } })
}

fn identity() -> Value {
    json!({ "identity": {} })
}

fn configuration(resources: &[&str], providers: &[Value]) -> Value {
    json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
            "resources": [{ "resources": resources, "providers": providers }] })
}

fn parse(configuration: &Value) -> Result<Encryption, String> {
    let parsed = EncryptionConfiguration::parse(&configuration.to_string());
    parsed.and_then(|configuration| configuration.encryption()).map_err(|error| error.to_string())
}

fn encryption(providers: &[Value]) -> Encryption {
    parse(&configuration(&["secrets"], providers)).unwrap()
}

/// The value, with `*` when it is stale, or the error.
fn read(encryption: &Encryption, key: &str, stored: &Bytes) -> Result<String, String> {
    let TransformedValue { bytes, is_stale } =
        encryption.transform_from_storage(key, stored.clone()).map_err(|error| error.to_string())?;
    let mark = if is_stale { "*" } else { "" };
    Ok(format!("{}{mark}", String::from_utf8_lossy(&bytes)))
}

fn starts_with(stored: &Bytes, text: &str) -> bool {
    stored.starts_with(text.as_bytes())
}

#[test]
fn values_that_other_programs_have_encrypted_are_read() {
    // Made with Go's crypto/aes, crypto/cipher and golang.org/x/crypto/nacl/secretbox.
    let vectors = [
        (
            "aesgcm",
            16,
            "azhzOmVuYzphZXNnY206djE6azE6AQEBAQEBAQEBAQEB2iCngeTQ0FMKC82Yq6pUGCS57feSlJaeNWa83Lu8/Whr",
        ),
        (
            "aesgcm",
            24,
            "azhzOmVuYzphZXNnY206djE6azE6AQEBAQEBAQEBAQEBs2XDLwnStBcqwGRwLkKHQcV5V5JDMmu0dZSDRPyrNAKF",
        ),
        (
            "aesgcm",
            32,
            "azhzOmVuYzphZXNnY206djE6azE6AQEBAQEBAQEBAQEBDcPi3v7bzjTzh7lCAlIEE9WSpDWWejmpUMXEcCRjO5Bj",
        ),
        (
            "aescbc",
            16,
            "azhzOmVuYzphZXNjYmM6djE6azE6AgICAgICAgICAgICAgICAhHPYgX+CCpl6QUKj8rVLl00OwUY5bXxE2qX8Cmd9XVJ",
        ),
        (
            "aescbc",
            24,
            "azhzOmVuYzphZXNjYmM6djE6azE6AgICAgICAgICAgICAgICAm9gzNqIuf5uPx2CT1Uu/UXqmoIjbjgJwOMlIXOlI50/",
        ),
        (
            "aescbc",
            32,
            "azhzOmVuYzphZXNjYmM6djE6azE6AgICAgICAgICAgICAgICAqJuq7amGn92hTV1ugvvTqMKn4UegTwX+/pJNU5eCxs+",
        ),
        (
            "secretbox",
            32,
            "azhzOmVuYzpzZWNyZXRib3g6djE6azE6AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDmdvDaMoNjrDELKbsaRh73Jfw6/IV3tgPqQI3ozFh9QLc",
        ),
    ];
    for (name, length, stored) in vectors {
        let encryption = encryption(&[provider(name, &[key("k1", 7, length)])]);
        let stored = Bytes::from(STANDARD.decode(stored).unwrap());
        let want = Ok(r#"{"kind":"Secret"}"#.to_owned());
        assert_eq!(read(&encryption, SECRET, &stored), want, "{name} {length}");
    }
}

#[test]
fn what_is_written_is_read_and_no_two_forms_are_the_same() {
    for (name, length) in [
        ("aesgcm", 16),
        ("aesgcm", 24),
        ("aesgcm", 32),
        ("aescbc", 16),
        ("aescbc", 24),
        ("aescbc", 32),
        ("secretbox", 32),
    ] {
        let encryption = encryption(&[provider(name, &[key("k1", 7, length)])]);
        assert!(encryption.hides_values());
        for value in ["", "x", "sixteen bytes !!", &"long ".repeat(50_000)] {
            let stored = encryption.transform_to_storage(SECRET, Bytes::from(value.to_owned()));
            assert!(starts_with(&stored, &format!("k8s:enc:{name}:v1:k1:")));
            assert_eq!(read(&encryption, SECRET, &stored).as_deref(), Ok(value), "{name} {length}");
            let again = encryption.transform_to_storage(SECRET, Bytes::from(value.to_owned()));
            assert_ne!(stored, again, "{name}: each write has a nonce of its own");
        }
        let other =
            encryption.transform_to_storage("core/configmaps/default/c", Bytes::from_static(b"clear"));
        assert_eq!(other, "clear", "a resource that is not named");
    }
}

#[test]
fn no_changed_bit_is_taken_for_a_value() {
    for name in ["aesgcm", "secretbox"] {
        let encryption = encryption(&[provider(name, &[key("k1", 7, 32)]), identity()]);
        let stored = encryption.transform_to_storage(SECRET, Bytes::from_static(b"a value"));
        for bit in 0..stored.len() * 8 {
            let mut changed = stored.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let found = read(&encryption, SECRET, &changed.into());
            // A changed mark makes it text in clear, which the store's own decoding refuses.
            let is_text = bit < "k8s:enc:".len() * 8;
            assert!(found.is_err() || is_text, "{name}, bit {bit}: {found:?}");
        }
        for length in 0..stored.len() {
            let found = read(&encryption, SECRET, &stored.slice(..length));
            assert!(found.is_err() || length < "k8s:enc:".len(), "{name}, {length} bytes: {found:?}");
        }
    }
    let gcm = encryption(&[provider("aesgcm", &[key("k1", 7, 32)])]);
    let stored = gcm.transform_to_storage(SECRET, Bytes::from_static(b"a value"));
    let exchanged = read(&gcm, "core/secrets/default/other", &stored).unwrap_err();
    assert!(exchanged.contains("does not decrypt it"), "the value of another object: {exchanged}");
}

#[test]
fn the_first_key_writes_and_the_others_read() {
    let old = encryption(&[provider("aescbc", &[key("old", 1, 32)]), identity()]);
    let stored = old.transform_to_storage(SECRET, Bytes::from_static(b"v"));
    assert_eq!(read(&old, SECRET, &stored).as_deref(), Ok("v"));
    assert_eq!(read(&old, SECRET, &Bytes::from_static(b"clear")).as_deref(), Ok("clear*"));
    for rotated in [
        encryption(&[provider("aescbc", &[key("new", 2, 32), key("old", 1, 32)])]),
        encryption(&[provider("secretbox", &[key("old", 2, 32)]), provider("aescbc", &[key("old", 1, 32)])]),
        encryption(&[identity(), provider("aescbc", &[key("old", 1, 32)])]),
    ] {
        assert_eq!(read(&rotated, SECRET, &stored).as_deref(), Ok("v*"));
        let again = rotated.transform_to_storage(SECRET, Bytes::from_static(b"v"));
        assert_eq!(read(&rotated, SECRET, &again).as_deref(), Ok("v"));
    }
    assert!(!encryption(&[identity(), provider("aescbc", &[key("old", 1, 32)])]).hides_values());
}

#[test]
fn values_that_cannot_be_read_say_which_key_is_missing() {
    let old = encryption(&[provider("aescbc", &[key("old", 1, 32)])]);
    let stored = old.transform_to_storage(SECRET, Bytes::from_static(b"v"));
    let lacking = encryption(&[provider("aescbc", &[key("new", 2, 32)]), identity()]);
    let elsewhere =
        parse(&configuration(&["configmaps"], &[provider("aescbc", &[key("old", 1, 32)])])).unwrap();
    let unknown = "it is encrypted with key \"old\" of provider aescbc, which the encryption configuration does not have for \
                   this resource: add it there";
    assert_eq!(read(&lacking, SECRET, &stored).unwrap_err(), unknown);
    assert_eq!(read(&elsewhere, SECRET, &stored).unwrap_err(), unknown);
    let without = read(&Encryption::default(), SECRET, &stored).unwrap_err();
    assert_eq!(
        without,
        "it is encrypted with key \"old\" of provider aescbc, and the server has no encryption configuration: start it with \
         --encryption-provider-config"
    );
    let clear = read(&old, SECRET, &Bytes::from_static(b"{}")).unwrap_err();
    assert!(
        clear.starts_with("it is not encrypted, and the encryption configuration has no provider identity"),
        "{clear}"
    );
    let sealed = encryption(&[provider("aesgcm", &[key("k", 1, 32)])])
        .transform_to_storage(SECRET, Bytes::from_static(b"v"));
    let other = encryption(&[provider("aesgcm", &[key("k", 2, 32)])]);
    let refused = read(&other, SECRET, &sealed).unwrap_err();
    assert!(refused.starts_with("key \"k\" of provider aesgcm does not decrypt it"), "{refused}");
}

#[test]
fn the_first_entry_that_names_a_resource_counts() {
    let entry = |resources: &[&str], byte| {
        json!({ "resources": resources,
        "providers": [provider("secretbox", &[key("k", byte, 32)])] })
    };
    let none = |resources: &[&str]| json!({ "resources": resources, "providers": [identity()] });
    let mut all = configuration(&[], &[]);
    all["resources"] = json!([
        none(&["events"]),
        entry(&["secrets", "widgets.example.org"], 1),
        entry(&["*.apps"], 2),
        entry(&["*."], 3),
        entry(&["*.*"], 4)
    ]);
    let all = parse(&all).unwrap();
    let cases = [
        ("core/events/default/e", None),
        ("core/secrets/default/s", Some(1)),
        ("example.org/widgets/default/w", Some(1)),
        ("example.org/gadgets/default/g", Some(4)),
        ("apps/deployments/default/d", Some(2)),
        ("core/configmaps/default/c", Some(3)),
        ("policy.karmada.io/propagationpolicies/default/p", Some(4)),
    ];
    for (object, want) in cases {
        let stored = all.transform_to_storage(object, Bytes::from_static(b"v"));
        let by = (1..=4).find(|byte| {
            let one =
                parse(&configuration(&["*.*"], &[provider("secretbox", &[key("k", *byte, 32)])])).unwrap();
            read(&one, object, &stored).is_ok()
        });
        assert_eq!(by, want, "{object}");
    }
}

#[test]
fn configurations_that_cannot_be_used_are_explained() {
    let of = |resources: &[&str]| configuration(resources, &[identity()]);
    let with = |providers: &[Value]| configuration(&["secrets"], providers);
    let secret = |secret: &str| with(&[provider("aescbc", &[json!({ "name": "k", "secret": secret })])]);
    let two = |first: &[&str], second: &[&str]| {
        let mut both = of(first);
        both["resources"].as_array_mut().unwrap().push(of(second)["resources"][0].clone());
        both
    };
    let cases = [
        (
            json!({ "kind": "EncryptionConfiguration" }),
            "it is no EncryptionConfiguration of apiserver.config.k8s.io/v1",
        ),
        (
            json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration" }),
            "resources: at least one resource is required",
        ),
        (of(&[]), "resources[0].resources: at least one resource is required"),
        (of(&["*"]), "use '*.' to encrypt all the resources from core API group"),
        (of(&["Secrets"]), "resource name should not contain capital letters"),
        (of(&["secrets", "secrets"]), "the same resource cannot be specified multiple times"),
        (of(&["secrets", "*."]), "overlapping resources"),
        (of(&["*.*", "secrets"]), "overlapping resources"),
        (of(&["deployments.extensions"]), "'extensions' group has been removed"),
        (of(&["events.events.k8s.io"]), "Use 'events' instead"),
        (of(&["pods/status"]), "subresources is not supported"),
        (of(&["a*.apps"]), "stands for a whole name only"),
        (two(&["*.*"], &["secrets"]), "resources[1].resources[0]: an entry before names this resource"),
        (two(&["secrets"], &["secrets"]), "resources[1].resources[0]: an entry before names this resource"),
        (with(&[]), "resources[0].providers: at least one provider is required"),
        (
            with(&[json!({})]),
            "resources[0].providers[0]: provider does not contain any of the expected providers",
        ),
        (with(&[json!({ "identity": {}, "aescbc": { "keys": [] } })]), "more than one provider specified"),
        (
            with(&[json!({ "kms": { "apiVersion": "v2", "name": "vault", "endpoint": "unix:///k.sock" } })]),
            "(KMS) are not built: use secretbox",
        ),
        (with(&[json!({ "rot13": {} })]), "unknown field `rot13`"),
        (
            with(&[provider("aescbc", &[])]),
            "resources[0].providers[0].aescbc.keys: at least one key is required",
        ),
        (
            with(&[provider("aescbc", &[json!({ "secret": "AAAA" })])]),
            "keys[0].name: key.name is a required field",
        ),
        (with(&[provider("aescbc", &[key("a:b", 1, 32)])]), "a name has no colon"),
        (
            with(&[provider("aescbc", &[key("k", 1, 32), key("k", 2, 32)])]),
            "keys[1].name: \"k\" names another key as well",
        ),
        (with(&[provider("secretbox", &[key("k", 1, 16)])]), "got 16, expected one of [32]"),
        (with(&[provider("aesgcm", &[key("k", 1, 31)])]), "got 31, expected one of [16, 24, 32]"),
        (secret(""), "key.secret is a required field"),
        (secret("sEcReT!!"), "keys[0].secret: secrets must be base64 encoded"),
        (with(&[json!({ "aescbc": "sEcReT!!" })]), "it is no EncryptionConfiguration"),
        (with(&[json!({ "aescbc": { "keys": ["sEcReT!!"] } })]), "it is no EncryptionConfiguration"),
    ];
    for (configuration, want) in cases {
        let found = parse(&configuration).expect_err(want);
        assert!(found.contains(want), "{configuration}: {found}");
        assert!(!found.contains("sEcReT"), "a secret is in a message: {found}");
    }
    let shown = format!("{:?}", EncryptionConfiguration::parse(&secret("sEcReT!!").to_string()).unwrap());
    assert!(!shown.contains("sEcReT"), "{shown}");
}
