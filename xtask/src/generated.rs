//! Folders of committed files that are generated: writing them, and checking that they are up to date.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Files of a folder that a command generates.
pub(crate) struct Generated {
    /// The folder, from the root of the workspace.
    pub(crate) folder: &'static str,
    /// The command that writes it.
    pub(crate) command: &'static str,
    /// Names and texts of all files.
    pub(crate) files: Vec<(String, String)>,
}

impl Generated {
    /// Writes the files, and removes others from the folder.
    pub(crate) fn write(&self) -> Result<()> {
        let folder = workspace::root()?.join(self.folder);
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if !self.files.iter().any(|(name, _)| path.ends_with(name)) {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        for (name, text) in &self.files {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        println!("wrote {}", folder.display());
        Ok(())
    }

    /// Fails when the committed files differ.
    pub(crate) fn check(&self) -> Result<()> {
        let folder = workspace::root()?.join(self.folder);
        let is_stale = |(name, text): &&(String, String)| {
            fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text)
        };
        let stale: Vec<&str> = self.files.iter().filter(is_stale).map(|(name, _)| name.as_str()).collect();
        if !stale.is_empty() {
            bail!(
                "these files of {} are stale, run `{}`:\n  {}",
                self.folder,
                self.command,
                stale.join("\n  ")
            );
        }
        Ok(())
    }
}
