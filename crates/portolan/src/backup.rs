//! `portolan backup` and `portolan restore`: the state of a control plane as one file.

use anyhow::{Context, Result};
use portolan_controlplane::CopySummary;
use portolan_net::Clock;

use crate::arguments::{Backup, Restore};

/// Writes a backup.
pub(crate) async fn backup(arguments: Backup) -> Result<()> {
    let now = Clock::system().now();
    let Backup { file, dir } = arguments;
    let target = file.clone();
    let work = move || portolan_controlplane::backup(&dir, &file, env!("CARGO_PKG_VERSION"), now);
    let summary = tokio::task::spawn_blocking(work).await.context("the backup stopped")??;
    warn_of_damage(&summary);
    let (objects, revision) = (summary.objects, summary.revision);
    anstream::println!("backup of {objects} objects at revision {revision}: {}", target.display());
    Ok(())
}

/// Restores a backup.
pub(crate) async fn restore(arguments: Restore) -> Result<()> {
    let now = Clock::system().now();
    let Restore { file, dir, force } = arguments;
    let work = move || portolan_controlplane::restore(&dir, &file, force, now);
    let restored = tokio::task::spawn_blocking(work).await.context("the restore stopped")??;
    warn_of_damage(&restored.summary);
    anstream::println!(
        "restored {} objects from the backup of {}",
        restored.summary.objects,
        restored.created
    );
    if let Some(replaced) = restored.replaced {
        anstream::println!("the state before: {}", replaced.display());
    }
    Ok(())
}

fn warn_of_damage(summary: &CopySummary) {
    for damaged in &summary.damaged {
        anstream::eprintln!("warning: {} is damaged: {}", damaged.key, damaged.reason);
    }
}
