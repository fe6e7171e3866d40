//! Data of records as zone files have it, which the services of the large clouds use.

use std::net::IpAddr;

use portolan_plan::federation::dns::record::{DomainName, RecordType};

/// Most characters of one string of a TXT record.
const STRING_LIMIT: usize = 255;

/// A value of a zone in the form of the plan.
pub(crate) fn target(kind: &RecordType, value: &str) -> String {
    match kind {
        RecordType::Txt => unquoted(value),
        RecordType::Cname => {
            DomainName::parse(value).map_or(value.to_owned(), |name| name.as_str().to_owned())
        }
        RecordType::A | RecordType::Aaaa => {
            value.parse::<IpAddr>().map_or(value.to_owned(), |address| address.to_string())
        }
        RecordType::Other(_) => value.to_owned(),
    }
}

/// A target in the form of a zone file.
pub(crate) fn value(kind: &RecordType, target: &str) -> String {
    if *kind != RecordType::Txt {
        return target.to_owned();
    }
    let characters: Vec<char> = target.chars().collect();
    let strings = characters.chunks(STRING_LIMIT).map(|string| {
        let text: String = string.iter().collect();
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    });
    let strings: Vec<String> = strings.collect();
    if strings.is_empty() { "\"\"".to_owned() } else { strings.join(" ") }
}

/// The content of all quoted strings of a TXT value together.
fn unquoted(value: &str) -> String {
    let (mut text, mut is_quoted, mut characters) = (String::new(), false, value.chars());
    while let Some(character) = characters.next() {
        match character {
            '"' => is_quoted = !is_quoted,
            '\\' => text.extend(characters.next()),
            _ if is_quoted => text.push(character),
            _ => {}
        }
    }
    text
}
