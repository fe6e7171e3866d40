//! String formats that schemas may name; unknown ones check nothing.
//!
//! Names may be written with or without dashes. Rules follow the libraries that kube-apiserver uses, which are
//! those of Go where Go has one.

use std::net::Ipv6Addr;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

mod duration;

#[cfg(test)]
mod tests;

/// A known format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    BsonObjectId,
    Byte,
    Cidr,
    CreditCard,
    Date,
    DateTime,
    Duration,
    Email,
    HexColor,
    Hostname,
    Ipv4,
    Ipv6,
    Isbn,
    Isbn10,
    Isbn13,
    LongName,
    Mac,
    Password,
    RgbColor,
    ShortName,
    Ssn,
    Uri,
    /// With the version that the identifier must have; 0 for any.
    Uuid(u8),
}

impl Format {
    /// The format with that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name.replace('-', "").as_str() {
            "bsonobjectid" => Self::BsonObjectId,
            "byte" => Self::Byte,
            "cidr" => Self::Cidr,
            "creditcard" => Self::CreditCard,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "duration" => Self::Duration,
            "email" => Self::Email,
            "hexcolor" => Self::HexColor,
            "hostname" => Self::Hostname,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "isbn" => Self::Isbn,
            "isbn10" => Self::Isbn10,
            "isbn13" => Self::Isbn13,
            "k8slongname" => Self::LongName,
            "k8sshortname" => Self::ShortName,
            "mac" => Self::Mac,
            "password" => Self::Password,
            "rgbcolor" => Self::RgbColor,
            "ssn" => Self::Ssn,
            "uri" => Self::Uri,
            "uuid" => Self::Uuid(0),
            "uuid3" => Self::Uuid(3),
            "uuid4" => Self::Uuid(4),
            "uuid5" => Self::Uuid(5),
            _ => return None,
        })
    }

    /// Whether a text has the format.
    pub(super) fn matches(self, text: &str) -> bool {
        match self {
            Self::BsonObjectId => text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Self::Byte => !text.is_empty() && STANDARD.decode(text).is_ok(),
            Self::Cidr => is_cidr(text),
            Self::CreditCard => is_credit_card(text),
            Self::Date => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
            Self::DateTime => is_date_time(text),
            Self::Duration => duration::is_duration(text),
            Self::Email => is_email(text),
            Self::HexColor => HEX_COLOR.is_match(text),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => is_ipv4(text),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Isbn => is_isbn10(text) || is_isbn13(text),
            Self::Isbn10 => is_isbn10(text),
            Self::Isbn13 => is_isbn13(text),
            Self::LongName => text.len() <= 253 && text.split('.').all(is_short_name),
            Self::Mac => is_mac(text),
            Self::Password => true,
            Self::RgbColor => RGB_COLOR.is_match(text),
            Self::ShortName => is_short_name(text),
            Self::Ssn => SSN.is_match(text),
            Self::Uri => is_request_uri(text),
            Self::Uuid(version) => is_uuid(text, version),
        }
    }
}

macro_rules! pattern {
    ($name:ident, $pattern:literal) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).expect("a constant pattern"));
    };
}

pattern!(HEX_COLOR, "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$");
pattern!(
    RGB_COLOR,
    r"(?x)^rgb\(
        \s* (?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]) \s*,
        \s* (?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]) \s*,
        \s* (?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]) \s*\)$"
);
pattern!(
    HOSTNAME,
    r"(?x)^(?:
        [a-zA-Z0-9\p{S}\p{L}] -? [a-zA-Z0-9\p{S}\p{L}]{0,62}
      | (?: [a-zA-Z0-9\p{S}\p{L}] (?: [-a-zA-Z0-9\p{S}\p{L}]{0,61} [a-zA-Z0-9\p{S}\p{L}] )? \. )+ [a-zA-Z\p{L}]{2,63}
    )$"
);
pattern!(SSN, "^[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}$");

/// Four decimal numbers; leading zeros are tolerated, as in all of Kubernetes' older fields.
fn is_ipv4(text: &str) -> bool {
    let is_byte = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number && part.parse::<u32>().is_ok_and(|number| number <= 255)
    };
    text.split('.').count() == 4 && text.split('.').all(is_byte)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let limit = if is_ipv4(address) {
        32
    } else if address.parse::<Ipv6Addr>().is_ok() {
        128
    } else {
        return false;
    };
    let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    is_number && bits.parse::<u32>().is_ok_and(|bits| bits <= limit)
}

/// Digits of the right length for an issuer, with a valid check digit; anything between them is ignored.
fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let is_issued = matches!(
        (digits.as_slice(), digits.len()),
        ([4, ..], 13 | 16)
            | ([5, 1..=5, ..] | [6, 0, 1, 1, ..] | [6, 5, ..] | [3, 5, ..], 16)
            | ([3, 4 | 7, ..] | [2, 1, 3, 1, ..] | [1, 8, 0, 0, ..], 15)
            | ([3, 0, 0..=5, ..] | [3, 6 | 8, ..], 14)
    );
    let weighted = digits.iter().rev().enumerate().map(|(at, digit)| match (at % 2, digit * 2) {
        (0, _) => *digit,
        (_, doubled) if doubled > 9 => doubled - 9,
        (_, doubled) => doubled,
    });
    is_issued && weighted.sum::<u32>().is_multiple_of(10)
}

/// RFC 3339 in either case; leap seconds are invalid, as in Go.
fn is_date_time(text: &str) -> bool {
    let mut text = text.to_ascii_uppercase();
    super::decode::normalise_time(&mut text).is_ok()
}

/// An address as in the header of a mail, perhaps with a name before it.
fn is_email(text: &str) -> bool {
    let address = match text.rsplit_once('<') {
        Some((_, address)) => address.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let is_atom = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "()<>[]:;@\\,\"".contains(c))
    };
    let is_local =
        (local.len() > 2 && local.starts_with('"') && local.ends_with('"')) || local.split('.').all(is_atom);
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    is_local && literal.map_or_else(|| domain.split('.').all(is_atom), is_ipv4)
}

/// One label, in which only the second character may be a dash, or several with letters in the last.
fn is_hostname(text: &str) -> bool {
    text.len() <= 255 && HOSTNAME.is_match(text) && text.split('.').all(|label| label.len() <= 63)
}

fn is_isbn10(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| *c != '-' && *c != ' ').collect();
    let weight = |(at, c): (usize, char)| match c {
        'X' if at == 9 => Some(100),
        c => Some(c.to_digit(10)? * (u32::try_from(at).ok()? + 1)),
    };
    let sum: Option<u32> = plain.chars().enumerate().map(weight).sum();
    plain.len() == 10 && sum.is_some_and(|sum| sum.is_multiple_of(11))
}

fn is_isbn13(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| *c != '-' && *c != ' ').collect();
    let sum: Option<u32> = plain
        .chars()
        .enumerate()
        .map(|(at, c)| Some(c.to_digit(10)? * if at % 2 == 0 { 1 } else { 3 }))
        .sum();
    plain.len() == 13 && sum.is_some_and(|sum| sum.is_multiple_of(10))
}

/// Six, eight or twenty bytes, in pairs with `:` or `-`, in fours with `.`, or without a break.
fn is_mac(text: &str) -> bool {
    let parts = |separator: char, digits: usize| {
        let mut count = 0;
        let is_well_formed = text.split(separator).all(|part| {
            count += 1;
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        is_well_formed.then_some(count * digits / 2)
    };
    let undivided = || text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(text.len() / 2);
    let bytes = parts(':', 2).or_else(|| parts('-', 2)).or_else(|| parts('.', 4)).or_else(undivided);
    matches!(bytes, Some(6 | 8 | 20))
}

fn is_short_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(inner)
}

/// An absolute URI or an absolute path, as in the first line of a request.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return false;
    }
    let has_bad_escape = text
        .split('%')
        .skip(1)
        .any(|rest| !rest.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())));
    if text.starts_with('/') || text == "*" {
        return !has_bad_escape;
    }
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    is_scheme && !has_bad_escape && authority.is_none_or(is_authority)
}

/// A host that may have a user before it and a port after it.
fn is_authority(text: &str) -> bool {
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let port = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest.strip_prefix(':').unwrap_or(rest),
        None => host.split_once(':').map_or("", |(_, port)| port),
    };
    !text.contains([' ', '<', '>', '"']) && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// UUID: 32 hexadecimal digits with optional dashes; version and variant are checked if one is required.
fn is_uuid(text: &str, version: u8) -> bool {
    let mut digits: Vec<u8> = Vec::with_capacity(32);
    let dashes_fit = text.bytes().all(|byte| match byte {
        b'-' => [8, 12, 16, 20].contains(&digits.len()),
        digit => {
            digits.push(digit);
            true
        }
    });
    let is_hex = digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit);
    let version_fits = version == 0 || digits.get(12) == Some(&(b'0' + version));
    let variant_fits = version < 4 || digits.get(16).is_some_and(|byte| b"89abAB".contains(byte));
    dashes_fit && is_hex && !text.contains("--") && version_fits && variant_fits
}
