//! The file of a backup: a tar archive. Its first file names the format; its last file has the checksums of all
//! others, as `sha256sum -c` reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path};

use ring::digest::{Context, SHA256};
use serde_json::Value;

use super::{BackupError, FORMAT};

/// Name of the first file.
pub(super) const HEADER: &str = "portolan-backup.json";
/// Name of the last file.
const CHECKSUMS: &str = "SHA256SUMS";
/// Largest header and list of checksums, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Writes a backup.
pub(super) struct ArchiveWriter<W: Write> {
    tar: tar::Builder<W>,
    checksums: String,
}

impl<W: Write> ArchiveWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { tar: tar::Builder::new(out), checksums: String::new() }
    }

    pub(super) fn add_bytes(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.add(name, content.len() as u64, content)
    }

    pub(super) fn add_file(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        self.add(name, length, file)
    }

    fn add(&mut self, name: &str, length: u64, content: impl Read) -> io::Result<()> {
        let mut content = Hashed::new(content.take(length));
        self.tar.append_data(&mut file_header(length), name, &mut content)?;
        self.checksums.push_str(&format!("{}  {name}\n", content.finish()));
        Ok(())
    }

    /// Adds the checksums and ends the archive.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let mut header = file_header(self.checksums.len() as u64);
        self.tar.append_data(&mut header, CHECKSUMS, self.checksums.as_bytes())?;
        self.tar.into_inner()?.flush()
    }
}

fn file_header(length: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(length);
    header.set_mode(0o600);
    header
}

/// Reads a backup: calls `take` with the name and the content of each file, and checks all checksums. Returns the header.
/// What `take` has received is only valid if this succeeds.
pub(super) fn read(
    file: &mut File,
    path: &Path,
    mut take: impl FnMut(&str, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<Value, BackupError> {
    let unusable = |reason: String| BackupError::Unusable { path: path.to_owned(), reason };
    let failed = |error: io::Error| match error.raw_os_error() {
        Some(_) => BackupError::io(path)(error),
        None => damaged(path, &error),
    };
    let mut archive = tar::Archive::new(file);
    let mut header = None;
    let mut found = BTreeMap::new();
    for entry in archive.entries().map_err(failed)? {
        let mut entry = match entry {
            Err(error) if header.is_none() && error.raw_os_error().is_none() => {
                return Err(unusable("it is no tar archive".to_owned()));
            }
            entry => entry.map_err(failed)?,
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let is_plain = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
        if !entry.header().entry_type().is_file() || !is_plain {
            return Err(unusable(format!("{name} is not a file of a backup")));
        }
        if name == CHECKSUMS {
            let text = text_of(&mut entry).map_err(failed)?;
            let header = header.ok_or_else(|| unusable(format!("it has no {HEADER}")))?;
            return compare(&text, &found).map(|()| header).map_err(unusable);
        }
        let mut content = Hashed::new(&mut entry);
        if header.is_none() {
            if name != HEADER {
                return Err(unusable(format!("its first file is {name}, not {HEADER}")));
            }
            header = Some(parse_header(&text_of(&mut content).map_err(failed)?).map_err(unusable)?);
        } else {
            take(&name, &mut content)?;
            // The checksum is that of the whole file, also if less was taken.
            io::copy(&mut content, &mut io::sink()).map_err(failed)?;
        }
        found.insert(name, content.finish());
    }
    Err(unusable(format!("it ends before its {CHECKSUMS}")))
}

/// A file that cannot be read as an archive. The words of the parser are not repeated: they quote the file, which may be any
/// other one, with secrets.
pub(super) fn damaged(path: &Path, error: &io::Error) -> BackupError {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut off",
        _ => "it is damaged",
    };
    BackupError::Unusable { path: path.to_owned(), reason: reason.to_owned() }
}

fn parse_header(text: &str) -> Result<Value, String> {
    let header: Value = serde_json::from_str(text).map_err(|error| format!("its {HEADER}: {error}"))?;
    match header["format"].as_u64() {
        Some(FORMAT) => Ok(header),
        Some(other) => Err(format!("it has format {other}, this version reads format {FORMAT}")),
        None => Err(format!("its {HEADER} has no format")),
    }
}

/// Compares the list of checksums with those of the files.
fn compare(text: &str, found: &BTreeMap<String, String>) -> Result<(), String> {
    let wanted: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
    if let Some(name) = found.keys().find(|name| !wanted.contains_key(name.as_str())) {
        return Err(format!("{CHECKSUMS} does not list {name}"));
    }
    for (name, sum) in wanted {
        match found.get(name) {
            Some(found) if found == sum => {}
            Some(_) => return Err(format!("{name} does not match its checksum")),
            None => return Err(format!("{name} is missing")),
        }
    }
    Ok(())
}

fn text_of(content: &mut impl Read) -> io::Result<String> {
    let mut text = String::new();
    content.take(MAX_TEXT_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Computes the checksum of what is read.
struct Hashed<R> {
    inner: R,
    context: Context,
}

impl<R> Hashed<R> {
    fn new(inner: R) -> Self {
        Self { inner, context: Context::new(&SHA256) }
    }

    fn finish(self) -> String {
        self.context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.context.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}
