use proptest::prelude::*;

use super::*;

fn list(headers: &[(&str, &str)]) -> HeaderList {
    HeaderList(headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

/// Two blocks of one direction, as the library that kubectl uses writes them (its zlib, its flushes).
const RECORDED: [(&str, &str); 2] = [
    (
        "78f9e3c6a7c202253a48f95b044eea160616060c0c0c9c4590f8ca04a5634603704a2c294a4dcc851636aca9a0a800000000ffff",
        "error",
    ),
    ("826a469502954389848d04000000ffff", "data"),
];

fn hex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

#[test]
fn the_dictionary_is_the_one_of_the_draft() {
    let checksum = Compress::new(Compression::fast(), true).set_dictionary(&dictionary());
    assert_eq!((dictionary().len(), checksum.ok()), (1423, Some(0xe3c6_a7c2)));
}

#[test]
fn recorded_blocks_are_read_in_order() {
    let mut decoder = Decoder::new();
    for (block, kind) in RECORDED {
        let headers = decoder.decode(&hex(block)).expect("readable");
        assert_eq!(headers.get("streamtype"), Some(kind));
        assert_eq!(headers.get("port"), Some("8080"));
        assert_eq!(headers.get("requestid"), Some("0"));
    }
}

#[test]
fn several_values_of_a_name_are_told_apart() {
    let block = Encoder::new().encode(&list(&[("a", "1\u{0}2"), ("b", "")]));
    assert_eq!(Decoder::new().decode(&block), Ok(list(&[("a", "1"), ("a", "2"), ("b", "")])));
}

#[test]
fn bombs_and_rubbish_are_refused() {
    let bomb = Encoder::new().encode(&list(&[("a", &"x".repeat(MAX_HEADER_LIST_BYTES))]));
    assert!(bomb.len() < 1024);
    let many: Vec<(String, String)> = (0..=MAX_HEADERS).map(|n| (n.to_string(), String::new())).collect();
    let first = hex(RECORDED[0].0);
    let cases = [
        ("a bomb", bomb.to_vec(), HeaderError::TooLarge),
        ("too many", Encoder::new().encode(&HeaderList(many)).to_vec(), HeaderError::TooLarge),
        (
            "a long name with too many values",
            Encoder::new().encode(&list(&[(&"a".repeat(1 << 14), &"\0".repeat(100))])).to_vec(),
            HeaderError::TooLarge,
        ),
        ("rubbish", b"GET / HTTP/1.1".to_vec(), HeaderError::Compression),
        ("cut off", first[..first.len() - 20].to_vec(), HeaderError::Malformed),
        ("nothing", vec![], HeaderError::Malformed),
    ];
    for (name, block, want) in cases {
        assert_eq!(Decoder::new().decode(&block), Err(want), "{name}");
    }
}

proptest! {
    #[test]
    fn lists_survive_compression(
        lists in proptest::collection::vec(
            proptest::collection::vec(("[a-z-]{1,12}", "[ -~]{0,400}"), 0..6), 1..5)
    ) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for headers in lists {
            let headers = HeaderList(headers);
            let block = encoder.encode(&headers);
            prop_assert_eq!(decoder.decode(&block), Ok(headers));
        }
    }

    #[test]
    fn no_block_makes_it_panic(block in proptest::collection::vec(any::<u8>(), 0..128)) {
        let _ = Decoder::new().decode(&block);
    }
}
