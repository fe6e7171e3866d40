use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> String {
    Quantity::parse(text).unwrap().to_string()
}

#[test]
fn each_amount_has_one_form() {
    let cases = [
        ("0", "0"),
        ("0m", "0"),
        ("0Mi", "0"),
        ("1", "1"),
        ("+1", "1"),
        ("-1", "-1"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("2000", "2k"),
        ("1000000", "1M"),
        ("1001", "1001"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("0.5Ki", "512"),
        ("1023Ki", "1023Ki"),
        ("100Ki", "100Ki"),
        ("512", "512"),
        ("1.1Ki", "1126400m"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("12e-3", "12e-3"),
        ("1E", "1E"),
        ("0.0000000001", "1n"),
        ("1.0000000001", "1000000001n"),
        ("100000000000000000000", "9223372036854775807"),
        ("20Ei", "9223372036854775807"),
        ("-0.5", "-500m"),
        ("128974848", "128974848"),
        ("129M", "129M"),
        ("123Mi", "123Mi"),
    ];
    for (text, want) in cases {
        assert_eq!(canonical(text), want, "{text}");
        assert_eq!(canonical(want), want, "{want} again");
    }
}

#[test]
fn amounts_compare() {
    let order = ["-1", "0", "1n", "1u", "1m", "0.5", "999m", "1", "1k", "1Ki", "1M", "1Mi", "1Ei"];
    for pair in order.windows(2) {
        let [smaller, larger] = [pair[0], pair[1]].map(|text| Quantity::parse(text).unwrap());
        assert!(smaller < larger, "{pair:?}");
    }
    assert_eq!(Quantity::parse("1000m").unwrap(), Quantity::parse("1").unwrap());
    assert_eq!(Quantity::parse("1024").unwrap(), Quantity::parse("1Ki").unwrap());
}

#[test]
fn texts_that_are_no_amount() {
    for text in ["", "-", ".", "1.2.3", "x", "1x", "1 Gi", "Gi", "1e", "1ee3", "1gi", "--1", "1e1.5", "۱"] {
        assert_eq!(Quantity::parse(text).unwrap_err(), InvalidQuantity, "{text}");
    }
}

#[test]
fn rounding_goes_up() {
    let cases = [("1", "1"), ("1.0001", "1001m"), ("100u", "1m"), ("0", "0"), ("-1.0001", "-1")];
    for (text, want) in cases {
        assert_eq!(Quantity::parse(text).unwrap().round_up_to_milli().to_string(), want, "{text}");
    }
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
