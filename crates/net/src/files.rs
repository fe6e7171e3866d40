//! Files with secrets: readable only by their owner, and replaced in one step.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}{}", path.display(), advice(source))]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// `read` or `write`.
    pub action: &'static str,
    /// The answer of the operating system.
    #[source]
    pub source: io::Error,
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => ": let this user own the directory, or choose another one",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": free some space",
        io::ErrorKind::ReadOnlyFilesystem => ": choose a directory that can be written to",
        io::ErrorKind::NotADirectory => ": a component of the path is a file",
        _ => "",
    }
}

/// Replaces a file by `contents`, readable only by its owner (0600).
///
/// Readers see the old file or the new one, also after a power failure. Missing directories are created.
///
/// # Errors
/// [`FileError`]; the old file is unchanged then.
pub fn write_private(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    replace(path, contents).map_err(|source| FileError { path: path.to_owned(), action: "write", source })
}

/// Reads a whole text file.
///
/// # Errors
/// [`FileError`], also when the file is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(|source| FileError {
        path: path.to_owned(),
        action: "read",
        source,
    })
}

fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    // Created with mode 0600, and removed if a step below fails.
    let mut file = tempfile::Builder::new().prefix(".portolan-").tempfile_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // Makes the rename survive a power failure.
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn replaces_with_private_mode_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("sub/secret");
        write_private(&path, b"old").expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("mode");
        write_private(&path, b"new").expect("written");
        assert_eq!(read_text(&path).expect("read"), "new");
        assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path().join("sub")).expect("listing").count(), 1);
    }

    #[test]
    fn names_the_file_that_is_in_the_way() {
        let directory = tempfile::tempdir().expect("directory");
        let file = directory.path().join("file");
        write_private(&file, b"").expect("written");
        let error = write_private(&file.join("below"), b"").expect_err("a file is no directory");
        assert!(error.to_string().starts_with(&format!("cannot write {}/below", file.display())), "{error}");
        assert!(read_text(&directory.path().join("absent")).is_err());
    }
}
