//! Domain names for lookups: lower case, with the offset of every label.
//!
//! The name of a query is copied once, into a buffer on the stack; all further steps borrow slices of it.

use dnswire::base::Name as WireName;

const MAX_WIRE: usize = 255;
const MAX_LABELS: usize = 127;
/// Bits that are zero in the length octet of an ordinary label (RFC 1035, section 4.1.4).
const NOT_A_LABEL: u8 = 0xC0;

/// A name in lower-case wire format.
pub(crate) struct Name {
    wire: [u8; MAX_WIRE],
    length: usize,
    starts: [u8; MAX_LABELS],
    labels: usize,
}

impl Name {
    /// Reads the uncompressed name at the beginning of `bytes`. `None` when it is invalid, compressed or truncated.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut name = Self { wire: [0; MAX_WIRE], length: 0, starts: [0; MAX_LABELS], labels: 0 };
        let mut at = 0;
        loop {
            let length = *bytes.get(at)?;
            if length & NOT_A_LABEL != 0 || at >= MAX_WIRE {
                return None;
            }
            if length == 0 {
                break;
            }
            // Fits: `at` is below 255. The next iteration checks that the label ends within the name.
            *name.starts.get_mut(name.labels)? = u8::try_from(at).ok()?;
            name.labels += 1;
            at += 1 + usize::from(length);
        }
        name.length = at + 1;
        name.wire[..name.length].copy_from_slice(&bytes[..name.length]);
        // Length octets are below 64, so lower-casing letters does not change them.
        name.wire[..name.length].make_ascii_lowercase();
        Some(name)
    }

    /// Parses dotted text, with or without a final dot.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::read(WireName::vec_from_str(text).ok()?.as_slice())
    }

    /// Length in wire format, in octets.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Number of labels without the root.
    pub(crate) fn labels(&self) -> usize {
        self.labels
    }

    /// Offset of the label at `index`, counted from the left; the offset of the root label for larger indexes.
    pub(crate) fn start(&self, index: usize) -> usize {
        if index >= self.labels { self.length - 1 } else { usize::from(self.starts[index]) }
    }

    /// Labels `from..to`, counted from the left, in wire format without the root label.
    pub(crate) fn range(&self, from: usize, to: usize) -> &[u8] {
        &self.wire[self.start(from)..self.start(to)]
    }

    /// Labels from `index` to the root label, in wire format.
    pub(crate) fn suffix(&self, index: usize) -> &[u8] {
        &self.wire[self.start(index)..self.length]
    }

    /// One label without its length octet.
    pub(crate) fn label(&self, index: usize) -> &[u8] {
        let start = self.start(index);
        self.wire.get(start + 1..self.start(index + 1)).unwrap_or_default()
    }
}

/// Dotted text as labels in wire format without the root label. The text must consist of valid labels.
pub(crate) fn relative_wire(text: &str) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + 1);
    for label in text.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        wire.push(u8::try_from(label.len()).unwrap_or(63));
        wire.extend_from_slice(&label.to_ascii_lowercase());
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_ranges_and_suffixes() {
        let name = Name::parse("_HTTPS._tcp.Shop.clusterset.local").unwrap();
        assert_eq!((name.labels(), name.length()), (5, 35));
        assert_eq!(name.label(2), b"shop");
        assert_eq!(name.range(0, 2), b"\x06_https\x04_tcp");
        assert_eq!(name.suffix(3), b"\x0aclusterset\x05local\x00");
        assert_eq!((name.suffix(5), name.label(5)), (&b"\x00"[..], &b""[..]));
        let root = Name::read(b"\x00").unwrap();
        assert_eq!((root.labels(), root.length(), root.suffix(0)), (0, 1, &b"\x00"[..]));
    }

    #[test]
    fn invalid_names_are_refused() {
        let long: Vec<u8> = [63u8].iter().copied().chain([b'a'; 63]).collect::<Vec<_>>().repeat(4);
        let longest = [&long[..], &[0]].concat();
        let cases: [(&str, &[u8]); 6] = [
            ("nothing", b""),
            ("no end", b"\x03abc"),
            ("label beyond the end", b"\x05abc"),
            ("compressed", b"\xc0\x0c"),
            ("reserved length", b"\x40abc\x00"),
            ("256 octets and more", &longest),
        ];
        for (case, bytes) in cases {
            assert!(Name::read(bytes).is_none(), "{case}");
        }
        let allowed = [&long[..192], &[61], &[b'a'; 61], &[0]].concat();
        assert_eq!(Name::read(&allowed).map(|name| name.length()), Some(255), "255 octets are allowed");
        let labels = [b"\x01a".repeat(127).as_slice(), &[0]].concat();
        assert_eq!(Name::read(&labels).map(|name| name.labels()), Some(127), "127 labels are allowed");
    }
}
