//! Domain names as they are looked up: lower case, with the place of every label.
//!
//! A query's name is copied once, into a buffer on the stack, and every part of it is a slice from there on.

use dnswire::base::Name as WireName;

const MAX_WIRE: usize = 255;
const MAX_LABELS: usize = 127;
/// Two bits that make a length a compression pointer or something else that is no label.
const NOT_A_LABEL: u8 = 0xC0;

/// A name in lower-case wire format.
pub(crate) struct Name {
    wire: [u8; MAX_WIRE],
    length: usize,
    starts: [u8; MAX_LABELS],
    labels: usize,
}

impl Name {
    /// Reads the uncompressed name at the beginning of `bytes`. `None` when there is no such name.
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
            // Below 255, because `at` is; the name's last byte is checked by the next turn.
            *name.starts.get_mut(name.labels)? = u8::try_from(at).ok()?;
            name.labels += 1;
            at += 1 + usize::from(length);
        }
        name.length = at + 1;
        name.wire[..name.length].copy_from_slice(&bytes[..name.length]);
        // Lengths are below 64 and so are never taken for letters.
        name.wire[..name.length].make_ascii_lowercase();
        Some(name)
    }

    /// The name that a text spells, with or without its final dot.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::read(WireName::vec_from_str(text).ok()?.as_slice())
    }

    /// Octets in wire format.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Labels without the root.
    pub(crate) fn labels(&self) -> usize {
        self.labels
    }

    /// Where the label `index` from the left begins; at the root's place for the number of labels.
    pub(crate) fn start(&self, index: usize) -> usize {
        if index >= self.labels { self.length - 1 } else { usize::from(self.starts[index]) }
    }

    /// The labels from `from` up to `to`, counted from the left, in wire format without a root.
    pub(crate) fn part(&self, from: usize, to: usize) -> &[u8] {
        &self.wire[self.start(from)..self.start(to)]
    }

    /// The rest of the name from a label on, root included.
    pub(crate) fn from(&self, index: usize) -> &[u8] {
        &self.wire[self.start(index)..self.length]
    }

    /// One label without its length.
    pub(crate) fn label(&self, index: usize) -> &[u8] {
        let start = self.start(index);
        self.wire.get(start + 1..self.start(index + 1)).unwrap_or_default()
    }
}

/// Labels in wire format without a root, from dotted text that is known to be made of legal labels.
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
    fn parts_of_a_name() {
        let name = Name::parse("_HTTPS._tcp.Shop.clusterset.local").unwrap();
        assert_eq!((name.labels(), name.length()), (5, 35));
        assert_eq!(name.label(2), b"shop");
        assert_eq!(name.part(0, 2), b"\x06_https\x04_tcp");
        assert_eq!(name.from(3), b"\x0aclusterset\x05local\x00");
        assert_eq!((name.from(5), name.label(5)), (&b"\x00"[..], &b""[..]));
        let root = Name::read(b"\x00").unwrap();
        assert_eq!((root.labels(), root.length(), root.from(0)), (0, 1, &b"\x00"[..]));
    }

    #[test]
    fn what_is_no_name() {
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
