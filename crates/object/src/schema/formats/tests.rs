use super::*;

#[test]
fn formats_accept_and_refuse() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("bsonobjectid", &["507f1f77bcf86cd799439011"], &["507f"]),
        ("byte", &["YWJj"], &["YWJ*", "abc", ""]),
        ("cidr", &["10.0.0.0/8", "fd00::/64"], &["10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0.0/+8"]),
        ("creditcard", &["4111 1111 1111 1111"], &["4111 1111 1111 1112", "1"]),
        ("date", &["2026-01-31"], &["2026-02-30", "2026-1-1", "today"]),
        (
            "date-time",
            &["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+02:00"],
            &["2026-01-02", "yesterday", "2026-01-02T03:04:60Z", "2026-01-02T03:04:05+0200"],
        ),
        ("duration", &["1h30m", "22 ns", "3 weeks", "0", "-1.5s", "P1D"], &["1", "abc", "", "1x"]),
        ("email", &["a@b.c", "A B <a@b>"], &["a", "a@", "@b", "a b@c"]),
        ("hexcolor", &["#FFF", "00ff00"], &["#ggg", "1234"]),
        (
            "hostname",
            &["a.example.com", "host", "a-b.example.com"],
            &["-a.com", "a..b", "", "a.example.com.", "a_b"],
        ),
        ("ipv4", &["10.0.0.1", "010.0.0.1"], &["10.0.0.256", "::1"]),
        ("ipv6", &["::1", "fd00::1"], &["10.0.0.1", ":::"]),
        ("isbn", &["0321751043", "978-0321751041"], &["0321751044", "x"]),
        ("isbn10", &["0321751043"], &["978-0321751041"]),
        ("isbn13", &["978-0321751041"], &["0321751043"]),
        ("k8s-short-name", &["a-1"], &["A", "-a", "a.b"]),
        ("k8s-long-name", &["a-1.b"], &["A.b", "a..b"]),
        ("mac", &["01:23:45:67:89:ab", "0123.4567.89ab", "0123456789ab"], &["01:23", "01:23:45:67:89:zz"]),
        ("password", &["anything"], &[]),
        ("rgbcolor", &["rgb(255,255,0)"], &["rgb(1)", "255,255,0", "rgb(256,0,0)", "rgb(01,0,0)"]),
        ("ssn", &["111-22-3333"], &["1-2-3", "111223333"]),
        (
            "uri",
            &["https://a.b/c?d=e", "/path", "urn:x:y", "http://[::1]:80/x"],
            &["", "no scheme", "http://a b/", "/%zz", "http://x:y/"],
        ),
        (
            "uuid",
            &["123e4567-e89b-12d3-a456-426614174000", "123E4567E89B12D3A456426614174000"],
            &["123e4567"],
        ),
        ("uuid4", &["123e4567-e89b-42d3-a456-426614174000"], &["123e4567-e89b-12d3-a456-426614174000"]),
    ];
    for (name, accepted, refused) in cases {
        let format = Format::parse(name).unwrap_or_else(|| panic!("{name} is known"));
        for text in *accepted {
            assert!(format.matches(text), "{name} accepts {text:?}");
        }
        for text in *refused {
            assert!(!format.matches(text), "{name} refuses {text:?}");
        }
    }
    assert_eq!(Format::parse("int-or-string"), None);
}
