use proptest::prelude::*;

use super::*;

/// The answers of `resource.ParseQuantity` and `CanonicalizeBytes` of apimachinery v0.36.3.
#[test]
fn each_amount_has_one_form() {
    let cases = [
        ("0", "0"),
        ("0m", "0"),
        ("0Mi", "0"),
        ("+0", "0"),
        ("-0", "0"),
        ("1", "1"),
        ("+1", "1"),
        ("-1", "-1"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("1.0", "1"),
        ("2000", "2k"),
        ("1000000", "1M"),
        ("1001", "1001"),
        ("512", "512"),
        ("128974848", "128974848"),
        ("129M", "129M"),
        ("00500m", "500m"),
        ("0.001", "1m"),
        ("0.5m", "500u"),
        ("1.5m", "1500u"),
        ("1500u", "1500u"),
        ("1.5Gi", "1536Mi"),
        ("1.25Gi", "1280Mi"),
        ("1.3Gi", "1395864371200m"),
        ("-1.5Gi", "-1536Mi"),
        ("1024Mi", "1Gi"),
        ("1025Mi", "1025Mi"),
        ("2048Ki", "2Mi"),
        ("123Mi", "123Mi"),
        ("0.1Mi", "104857600m"),
        ("0.5Ki", "512"),
        ("1.5Ki", "1536"),
        ("1.1Ki", "1126400m"),
        ("0.0001Ki", "102400u"),
        ("1000Ki", "1000Ki"),
        ("1023Ki", "1023Ki"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("10e3", "10e3"),
        ("12e6", "12e6"),
        ("12e-3", "12e-3"),
        ("5E-3", "5e-3"),
        ("1e-2", "10e-3"),
        ("1e-12", "1e-9"),
        ("5e0", "5"),
        ("1e19", "10e18"),
        ("1e20", "100e18"),
        ("1E", "1E"),
        ("10E", "10E"),
        ("100E", "100E"),
        ("999999999999999999", "999999999999999999"),
        ("9999999999999999999", "9999999999999999999"),
        ("100000000000000000000", "100E"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("0.000000001n", "1n"),
        ("1.0000000001", "1000000001n"),
        ("-0.25", "-250m"),
        ("20Ei", "9223372036854775807"),
        ("-20Ei", "-9223372036854775807"),
        ("9223372036854775807Ki", "9223372036854775807"),
        ("1e30", "1e30"),
        (
            "123456789012345678901234567890123456789012345678",
            "123456789012345678901234567890123456789012345678",
        ),
        ("Mi", "0"),
        (".", "0"),
    ];
    for (text, want) in cases {
        assert_eq!(Quantity::canonical(text).as_deref(), Ok(want), "{text}");
        assert_eq!(Quantity::canonical(want).as_deref(), Ok(want), "{want} again");
    }
}

#[test]
fn a_tiny_exponent_costs_no_time() {
    assert_eq!(Quantity::canonical("1e-2000000000").as_deref(), Ok("1e-9"));
}

#[test]
fn amounts_compare() {
    let order = ["-1", "0", "1n", "1u", "1m", "0.5", "999m", "1", "1k", "1Ki", "1M", "1Mi", "1Ei", "1e60"];
    for pair in order.windows(2) {
        let [smaller, larger] = [pair[0], pair[1]].map(|text| Quantity::parse(text).unwrap());
        assert!(smaller < larger, "{pair:?}");
    }
    assert_eq!(Quantity::parse("1000m").unwrap(), Quantity::parse("1").unwrap());
    assert_eq!(Quantity::parse("1024").unwrap(), Quantity::parse("1Ki").unwrap());
}

#[test]
fn other_texts_are_refused_as_upstream_refuses_them() {
    for text in ["", "x", "1x", "1 Mi", "1.2.3", "1e1.5", " 1", "۱"] {
        assert_eq!(Quantity::parse(text).unwrap_err(), QuantityError::Format, "{text}");
    }
    for text in ["--1", "1mi", "1Kii", "1e", "1EiE", "1ee3"] {
        assert_eq!(Quantity::parse(text).unwrap_err(), QuantityError::Suffix, "{text}");
    }
}

#[test]
fn rounding_goes_up() {
    let cases = [("1", "1"), ("1.0001", "1001m"), ("100u", "1m"), ("0", "0"), ("-1.0001", "-1")];
    for (text, want) in cases {
        assert_eq!(Quantity::parse(text).unwrap().round_up_to_milli().to_string(), want, "{text}");
    }
    assert_eq!(Quantity::parse("1500m").unwrap().round_up(), 2);
    assert_eq!(Quantity::parse("1e60").unwrap().round_up(), i64::MAX);
}

proptest! {
    /// Writing and reading again changes nothing, and a written amount is written the same way again.
    #[test]
    fn canonical_forms_are_stable(
        number in r"[+-]?[0-9]{1,12}(\.[0-9]{0,10})?",
        suffix in prop::sample::select(vec!["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e2", "e-3", "E3"]),
    ) {
        let quantity = Quantity::parse(&format!("{number}{suffix}")).unwrap();
        let written = quantity.to_string();
        let again = Quantity::parse(&written).unwrap();
        prop_assert_eq!(again, quantity, "{}", written);
        prop_assert_eq!(again.to_string(), written);
    }
}
