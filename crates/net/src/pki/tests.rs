use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().expect("a timestamp")
}

fn authority() -> Authority {
    Authority::create("portolan", now()).expect("an authority")
}

/// Checks the signature and calls `look` with the parsed certificate.
fn inspect<T>(
    certificate: &CertificateDer<'_>,
    issuer: &Authority,
    look: impl FnOnce(&X509Certificate<'_>) -> T,
) -> T {
    let (rest, parsed) = X509Certificate::from_der(certificate).expect("a certificate");
    assert!(rest.is_empty());
    let (_, signer) = X509Certificate::from_der(issuer.certificate()).expect("a certificate");
    parsed.verify_signature(Some(signer.public_key())).expect("signed by the authority");
    look(&parsed)
}

#[test]
fn a_client_carries_its_user_and_its_group() {
    let authority = authority();
    let long = "g".repeat(300);
    for group in [None, Some("system:masters"), Some("ü"), Some(&*long)] {
        let client = authority.issue_client("system:node:n1", group, DAY, now()).expect("issued");
        inspect(&client.chain()[0], &authority, |certificate| {
            let subject = certificate.subject();
            let text = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
                attribute.as_str().expect("text").to_owned()
            };
            assert_eq!(subject.iter_organization().map(text).collect::<Vec<_>>(), Vec::from_iter(group));
            assert_eq!(subject.iter_common_name().map(text).collect::<Vec<_>>(), ["system:node:n1"]);
            let usage = certificate.extended_key_usage().expect("readable").expect("present").value;
            assert!(usage.client_auth && !usage.server_auth);
            assert_eq!(certificate.validity().not_after.timestamp(), client.expires().as_second());
            assert_eq!(certificate.validity().not_before.timestamp(), now().as_second() - 3600);
        });
    }
    assert!(matches!(authority.issue_client("", None, DAY, now()), Err(PkiError::Name { .. })));
    assert!(matches!(authority.issue_client("u", Some(""), DAY, now()), Err(PkiError::Name { .. })));
}

#[test]
fn a_server_carries_its_names() {
    let authority = authority();
    let names = ServerNames {
        common_name: "portolan".into(),
        dns: vec!["localhost".into(), "kubernetes.default.svc".into()],
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
    };
    let server = authority.issue_server(&names, DAY, now()).expect("issued");
    inspect(&server.chain()[0], &authority, |certificate| {
        let alternatives = certificate.subject_alternative_name().expect("readable").expect("present").value;
        let want = [
            GeneralName::DNSName("localhost"),
            GeneralName::DNSName("kubernetes.default.svc"),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
        ];
        assert_eq!(alternatives.general_names, want);
        assert!(!certificate.is_ca());
    });
    assert_eq!(server.expires(), now() + DAY);
    let bad = ServerNames { common_name: "x".into(), dns: vec!["ü".into()], addresses: vec![] };
    assert!(matches!(authority.issue_server(&bad, DAY, now()), Err(PkiError::Name { .. })));
}

#[test]
fn nothing_outlives_its_authority() {
    let authority = authority();
    let client = authority.issue_client("u", None, AUTHORITY_LIFETIME * 2, now()).expect("issued");
    assert_eq!(client.expires(), authority.expires());
    let serials: Vec<_> = (0..2)
        .map(|_| {
            let client = authority.issue_client("u", None, DAY, now()).expect("issued");
            inspect(&client.chain()[0], &authority, |certificate| certificate.raw_serial().to_vec())
        })
        .collect();
    assert_ne!(serials[0], serials[1]);
}

#[test]
fn an_authority_is_made_once_and_kept_private() {
    let directory = tempfile::tempdir().expect("directory");
    // A process died between the two files.
    fs::write(directory.path().join("ca.key"), "").expect("written");
    let first = Authority::open(directory.path(), "portolan", now()).expect("made");
    let again = Authority::open(directory.path(), "portolan", now()).expect("loaded");
    assert_eq!((first.certificate(), first.expires()), (again.certificate(), again.expires()));
    for name in ["ca.crt", "ca.key"] {
        let mode = fs::metadata(directory.path().join(name)).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let client = again.issue_client("u", Some("g"), DAY, now()).expect("issued");
    inspect(&client.chain()[0], &first, |_| ());
}

#[test]
fn an_identity_survives_its_files() {
    let directory = tempfile::tempdir().expect("directory");
    let (certificate, key) = (directory.path().join("a.crt"), directory.path().join("a.key"));
    let identity = authority().issue_client("u", Some("g"), DAY, now()).expect("issued");
    identity.write(&certificate, &key).expect("written");
    let loaded = Identity::load(&certificate, &key, now()).expect("loaded");
    assert_eq!((loaded.chain(), loaded.key_pem()), (identity.chain(), identity.key_pem()));
    assert_eq!(loaded.expires(), identity.expires());
    let error = Identity::load(&certificate, &key, now() + DAY).expect_err("expired");
    let want = format!("{} expired at 2026-01-03T03:04:05Z: remove it", certificate.display());
    assert!(error.to_string().starts_with(&want), "{error}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    struct Case {
        name: &'static str,
        damage: fn(&Path),
        want: &'static str,
    }
    let cases = [
        Case {
            name: "no key",
            damage: |directory| fs::remove_file(directory.join("ca.key")).expect("removed"),
            want: "ca.key is missing beside",
        },
        Case {
            name: "garbage certificate",
            damage: |directory| fs::write(directory.join("ca.crt"), "garbage").expect("written"),
            want: "ca.crt holds no certificate",
        },
        Case {
            name: "garbage key",
            damage: |directory| fs::write(directory.join("ca.key"), "garbage").expect("written"),
            want: "ca.key is not a private key",
        },
        Case {
            name: "another key",
            damage: |directory| {
                let other = authority().issuer.key().serialize_pem();
                fs::write(directory.join("ca.key"), other).expect("written");
            },
            want: "ca.key does not belong to",
        },
        Case {
            name: "no authority",
            damage: |directory| {
                let client = authority().issue_client("u", None, DAY, now()).expect("issued");
                client.write(&directory.join("ca.crt"), &directory.join("ca.key")).expect("written");
            },
            want: "ca.crt is not the certificate of an authority",
        },
    ];
    for case in cases {
        let directory = tempfile::tempdir().expect("directory");
        Authority::open(directory.path(), "portolan", now()).expect("made");
        (case.damage)(directory.path());
        let error = Authority::open(directory.path(), "portolan", now()).expect_err(case.name).to_string();
        assert!(error.contains(case.want) && error.contains("restore both files"), "{}: {error}", case.name);
    }
}
