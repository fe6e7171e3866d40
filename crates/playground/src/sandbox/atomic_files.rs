//! The files of a ConfigMap, Secret, projected or downwardAPI volume, which change together.
//!
//! As the kubelet lays them out (kubernetes pkg/volume/util/atomic_writer.go): a program sees the files of before or those
//! of after, never a mixture.
//!
//! ```text
//! volume/..2/one, volume/..2/dir/two        the files
//! volume/..data ─► ..2                      replaced by a rename
//! volume/one ─► ..data/one, volume/dir ─► ..data/dir
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::volume_paths::{VolumesError, at, inside};

/// The link to the directory with the files.
const DATA: &str = "..data";
/// The next link, until it is renamed.
const NEXT_DATA: &str = "..data_tmp";

/// A file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeFile {
    pub(crate) content: Vec<u8>,
    /// Permissions.
    pub(crate) mode: u32,
}

/// Makes `volume` hold these files and no others. Unchanged files are not written.
pub(super) fn write(volume: &Path, files: &BTreeMap<String, VolumeFile>) -> Result<(), VolumesError> {
    for name in files.keys() {
        inside(Path::new(name))?;
    }
    let current = fs::read_link(volume.join(DATA)).ok();
    let current = current.as_ref().and_then(|name| name.to_str());
    if current.is_some_and(|current| holds(&volume.join(current), files)) {
        return Ok(());
    }
    let number = current.and_then(|name| name.strip_prefix("..")?.parse::<u64>().ok()).unwrap_or_default();
    let next = format!("..{}", number + 1);
    let directory = volume.join(&next);
    // A write that was interrupted may have left it.
    at(&directory, || if directory.exists() { fs::remove_dir_all(&directory) } else { Ok(()) })?;
    at(&directory, || fs::create_dir(&directory))?;
    for (name, file) in files {
        let path = directory.join(name);
        at(&path, || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, &file.content)?;
            fs::set_permissions(&path, Permissions::from_mode(file.mode))
        })?;
    }
    let link = volume.join(NEXT_DATA);
    at(&link, || {
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(&next, &link)?;
        fs::rename(&link, volume.join(DATA))
    })?;
    at(volume, || link_names(volume, files))?;
    match current {
        Some(old) => at(&volume.join(old), || fs::remove_dir_all(volume.join(old))),
        None => Ok(()),
    }
}

/// Whether a directory has these files; whether it has others is seen by their number.
fn holds(directory: &Path, files: &BTreeMap<String, VolumeFile>) -> bool {
    let is_same = |(name, file): (&String, &VolumeFile)| {
        let path = directory.join(name);
        let mode = path.symlink_metadata().map(|found| found.permissions().mode() & 0o7777);
        mode.is_ok_and(|mode| mode == file.mode) && fs::read(&path).is_ok_and(|found| found == file.content)
    };
    count(directory).is_ok_and(|count| count == files.len()) && files.iter().all(is_same)
}

/// The number of files below a directory.
fn count(directory: &Path) -> io::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Ok(files)
}

/// Links the first part of each name, and removes the links of names that are gone.
fn link_names(volume: &Path, files: &BTreeMap<String, VolumeFile>) -> io::Result<()> {
    let first =
        |name: &String| name.split('/').find(|part| !part.is_empty() && *part != ".").map(str::to_owned);
    let names: BTreeSet<String> = files.keys().filter_map(first).collect();
    for entry in fs::read_dir(volume)? {
        let name = entry?.file_name();
        let is_gone = name.to_str().is_some_and(|name| !name.starts_with("..") && !names.contains(name));
        if is_gone {
            fs::remove_file(volume.join(name))?;
        }
    }
    for name in names {
        let link = volume.join(&name);
        if link.symlink_metadata().is_err() {
            symlink(Path::new(DATA).join(&name), link)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(contents: &[(&str, &str)]) -> BTreeMap<String, VolumeFile> {
        let file = |text: &str| VolumeFile { content: text.as_bytes().to_vec(), mode: 0o400 };
        contents.iter().map(|(name, text)| ((*name).to_owned(), file(text))).collect()
    }

    /// What a program finds, with the number of directories that hold it.
    fn found(volume: &Path) -> (Vec<String>, usize) {
        let (mut names, mut directories) = (Vec::new(), 0);
        for entry in fs::read_dir(volume).expect("the volume") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            directories += usize::from(entry.file_type().expect("a type").is_dir());
            if !name.starts_with("..") {
                names.push(name);
            }
        }
        names.sort();
        (names, directories)
    }

    #[test]
    fn a_volume_holds_what_it_was_last_given() {
        let volume = tempfile::tempdir().expect("a temporary directory");
        let volume = volume.path();
        let read = |name: &str| fs::read_to_string(volume.join(name)).ok();
        write(volume, &files(&[("one", "1"), ("dir/two", "2")])).expect("written");
        assert_eq!(found(volume), (vec!["dir".to_owned(), "one".to_owned()], 1));
        assert_eq!((read("one").as_deref(), read("dir/two").as_deref()), (Some("1"), Some("2")));
        let mode = fs::metadata(volume.join("one")).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o400);

        let data = fs::read_link(volume.join(DATA)).expect("a link");
        write(volume, &files(&[("one", "1"), ("dir/two", "2")])).expect("written");
        assert_eq!(fs::read_link(volume.join(DATA)).expect("a link"), data, "nothing has changed");

        write(volume, &files(&[("one", "3"), ("new", "4")])).expect("written");
        assert_eq!(found(volume), (vec!["new".to_owned(), "one".to_owned()], 1), "the removed name is gone");
        assert_eq!((read("one").as_deref(), read("new").as_deref()), (Some("3"), Some("4")));

        write(volume, &files(&[])).expect("written");
        assert_eq!(found(volume), (vec![], 1));
    }

    #[test]
    fn no_name_leaves_the_volume() {
        let volume = tempfile::tempdir().expect("a temporary directory");
        for name in ["../passwd", "/passwd", "a/../../passwd"] {
            let refused = write(volume.path(), &files(&[(name, "")]));
            assert!(matches!(refused, Err(VolumesError::Outside(_))), "{name}: {refused:?}");
        }
    }
}
